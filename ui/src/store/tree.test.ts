import { describe, expect, it } from "vitest"
import {
  emptyTree,
  type Message,
  Progress,
  put,
  remove,
  rename,
  select,
  shownPath,
  siblings,
} from "./tree"

const message = (id: string, parentId: string | null, role: Message["role"] = "user"): Message => ({
  id,
  parentId,
  role,
  content: id,
  turnId: null,
  createdAt: "2026-11-23T12:00:00Z",
  progress: Progress.Done,
  failure: null,
  trace: null,
  usage: null,
  feedback: [],
})

const grown = (...pairs: [string, string | null][]) =>
  pairs.reduce((tree, [id, parent]) => put(tree, message(id, parent)), emptyTree)
const ids = (tree: ReturnType<typeof grown>) => shownPath(tree).map(({ id }) => id)

const forked = grown(["q", null], ["a1", "q"], ["a2", "q"], ["next", "a1"])

describe("a conversation's tree", () => {
  it("shows the newest branch until another is chosen", () => {
    expect(ids(forked)).toEqual(["q", "a2"])
    expect(ids(select(forked, "a1"))).toEqual(["q", "a1", "next"])
  })

  it("shows the branch that a message deep in it lies on", () => {
    expect(ids(select(forked, "next"))).toEqual(["q", "a1", "next"])
  })

  it("counts siblings in the order in which they came", () => {
    expect(siblings(forked, "a2")).toEqual(["a1", "a2"])
    expect(siblings(forked, "unknown")).toEqual([])
  })

  it("keeps place, children and choice of a message that gets another id", () => {
    const renamed = rename(select(forked, "next"), "a1", "server")
    expect(ids(renamed)).toEqual(["q", "server", "next"])
    expect(siblings(renamed, "a2")).toEqual(["server", "a2"])
    expect(renamed.messages.next?.parentId).toBe("server")
  })

  it("drops a local message whose server twin is there already", () => {
    const both = put(forked, message("local", "q"))
    expect(siblings(rename(both, "local", "a2"), "a2")).toEqual(["a1", "a2"])
  })

  it("takes a message out with all that follows it", () => {
    const less = remove(select(forked, "next"), "a1")
    expect(ids(less)).toEqual(["q", "a2"])
    expect(less.messages.next).toBeUndefined()
  })

  it("replaces a message that it has, in its place", () => {
    const again = put(forked, { ...message("a1", "q"), content: "new" })
    expect(siblings(again, "a1")).toEqual(["a1", "a2"])
    expect(again.messages.a1?.content).toBe("new")
  })
})
