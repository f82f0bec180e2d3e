import { describe, expect, it } from "vitest"
import type { MessageRow } from "@/api/types"
import type { Frame } from "@/protocol"
import {
  type Action,
  type ChatState,
  commandsOnOpen,
  emptyState,
  localThreadId,
  type Pending,
  reduce,
  threadOf,
  unansweredTurns,
} from "./state"
import { type Message, Progress, shownPath, siblings } from "./tree"

const at = "2026-11-23T12:00:00Z"
const thread = "conversation"
const local = localThreadId("c1")

const pending = (clientId: string, threadId = local): Pending => ({
  clientId,
  threadId,
  command: { cmd: "send", client_id: clientId, content: "hello" },
  content: "hello",
  parentId: null,
  userId: `question:${clientId}`,
  answerId: `answer:${clientId}`,
})

const again = (clientId: string, question: string): Pending => ({
  ...pending(clientId, thread),
  command: { cmd: "regenerate", client_id: clientId, message_id: "a" },
  content: null,
  parentId: question,
  userId: question,
})

const base = { v: 1, turn_id: "t" } as const
const accepted = (
  clientId = "c1",
  ids: Partial<Record<"turn_id" | "user" | "answer", string>> = {},
): Frame => ({
  ...base,
  turn_id: ids.turn_id ?? "t",
  seq: 0,
  type: "accepted",
  client_id: clientId,
  conversation_id: thread,
  user_message_id: ids.user ?? "q",
  assistant_message_id: ids.answer ?? "a",
  parent_id: null,
})
const token = (seq: number, text: string): Frame => ({ ...base, seq, type: "token", text })
const row = (id: string, parent: string | null, change: Partial<MessageRow> = {}): MessageRow => ({
  id,
  parent_id: parent,
  role: parent === null ? "user" : "assistant",
  content: id,
  turn_id: "t",
  created_at: at,
  status: "complete",
  sibling_ids: [],
  feedback: [],
  trace: null,
  citations: [],
  usage: null,
  ...change,
})
const done = (seq: number, content: string): Frame => ({
  ...base,
  seq,
  type: "message_done",
  message: { ...row("a", "q", { content }) },
  finish_reason: "stop",
  usage: { prompt_tokens: 3, completion_tokens: 2 },
})
const failure = (change: Partial<Extract<Frame, { type: "error" }>>): Frame => ({
  v: 1,
  turn_id: null,
  seq: 0,
  type: "error",
  code: "no_model",
  message: "No model is served.",
  retryable: true,
  client_id: null,
  details: {},
  ...change,
})

const run = (state: ChatState, ...actions: Action[]) => actions.reduce(reduce, state)
const frames = (...list: Frame[]): Action[] => list.map((frame) => ({ type: "frame", frame, at }))
const queued = (item: Pending): Action => ({ type: "queued", pending: item, at })
const loaded = (...rows: MessageRow[]): Action => ({ type: "loaded", threadId: thread, rows })

function path(state: ChatState, id = thread): Message[] {
  const found = threadOf(state, id)
  return found ? shownPath(found.tree) : []
}
const answer = (state: ChatState) => path(state).at(-1)

const asked = run(emptyState, queued(pending("c1")))
const begun = run(asked, ...frames(accepted()))

describe("asking", () => {
  it("shows the question at once, and its answer as on its way", () => {
    expect(
      path(asked, local).map(({ role, content, progress }) => [role, content, progress]),
    ).toEqual([
      ["user", "hello", Progress.Sending],
      ["assistant", "", Progress.Sending],
    ])
  })

  it("takes the server's ids when it accepts, and keeps the view", () => {
    expect(path(begun).map(({ id }) => id)).toEqual(["q", "a"])
    expect(begun.adopted[local]).toBe(thread)
    expect(threadOf(begun, local)?.viewKey).toBe(local)
    expect(begun.pending).toEqual({})
  })

  it("sends again what was not accepted, when a socket opens", () => {
    expect(commandsOnOpen(asked)).toEqual([pending("c1").command])
    expect(commandsOnOpen(begun)).toEqual([{ cmd: "resume", turn_id: "t", after_seq: 0 }])
  })

  it("keeps a refused question with the reason, and doesn't send it by itself", () => {
    const refused = run(asked, ...frames(failure({ client_id: "c1", code: "rate_limited" })))
    expect(path(refused, local).at(-1)).toMatchObject({
      progress: Progress.Failed,
      failure: { code: "rate_limited" },
    })
    expect(commandsOnOpen(refused)).toEqual([])
  })

  it("forgets a discarded question with its answer", () => {
    const less = run(asked, { type: "discarded", clientId: "c1" })
    expect(path(less, local)).toEqual([])
    expect(less.pending).toEqual({})
  })
})

describe("an answer under way", () => {
  it("grows by every token once, whatever is repeated", () => {
    const state = run(
      begun,
      ...frames(
        token(1, "Two "),
        token(2, "hun"),
        token(1, "Two "),
        token(2, "hun"),
        token(3, "dred"),
      ),
    )
    expect(answer(state)?.content).toBe("Two hundred")
  })

  it("marks a gap, takes nothing behind it, and goes on where it was", () => {
    const gap = run(begun, ...frames(token(1, "a"), token(3, "c")))
    expect(answer(gap)?.content).toBe("a")
    expect(gap.turns.t?.gap).toBe(true)
    expect(commandsOnOpen(gap)).toEqual([{ cmd: "resume", turn_id: "t", after_seq: 1 }])
    const mended = run(gap, ...frames(token(2, "b"), token(3, "c")))
    expect(answer(mended)?.content).toBe("abc")
    expect(mended.turns.t?.gap).toBe(false)
  })

  it("ends with the server's text, which wins over the tokens", () => {
    const state = run(begun, ...frames(token(1, "Two hun"), done(2, "Two hundred.")))
    expect(answer(state)).toMatchObject({ content: "Two hundred.", progress: Progress.Done })
    expect(state.turns).toEqual({})
  })

  it("ignores what comes after the end", () => {
    const state = run(begun, ...frames(done(1, "all"), token(2, "more")))
    expect(answer(state)?.content).toBe("all")
  })

  it("keeps what was written when it is stopped", () => {
    const stopped = run(
      begun,
      ...frames(token(1, "Two"), { ...base, seq: 2, type: "cancelled", message: null }),
    )
    expect(answer(stopped)).toMatchObject({ content: "Two", progress: Progress.Stopped })
  })

  it("fails with the server's reason", () => {
    const failed = run(begun, ...frames(failure({ turn_id: "t", seq: 1 })))
    expect(answer(failed)).toMatchObject({
      progress: Progress.Failed,
      failure: { code: "no_model", retryable: true },
    })
    expect(failed.turns).toEqual({})
  })

  it("ends when the server doesn't know its turn", () => {
    const lost = run(
      begun,
      ...frames(token(1, "a"), failure({ turn_id: "t", seq: 0, code: "not_found" })),
    )
    expect(lost.turns).toEqual({})
    expect(answer(lost)?.failure?.code).toBe("not_found")
  })

  it("remembers what made it", () => {
    const routed: Frame = {
      ...base,
      seq: 1,
      type: "routed",
      model: "m",
      adapters: [],
      policy_version: 2,
      seed: 7,
    }
    expect(answer(run(begun, ...frames(routed)))?.trace).toMatchObject({ model: "m", seed: 7 })
  })

  it("ignores turns that it knows nothing of", () => {
    expect(run(begun, ...frames({ ...token(1, "x"), turn_id: "other" }))).toBe(begun)
  })
})

/** A small generator with a seed (mulberry32), so that a failing run can be had again. */
function randomOf(seed: number) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe("a bad network", () => {
  const words = Array.from({ length: 40 }, (_, index) => `w${index} `)
  const sent = [
    ...words.map((text, index) => token(index + 1, text)),
    done(words.length + 1, "end"),
  ]

  it("never costs or doubles a token, however frames are lost, repeated and resumed", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = randomOf(seed)
      let state = begun
      const texts: string[] = []
      while (state.turns.t) {
        const { lastSeq } = state.turns.t
        const rest = sent.slice(Math.max(0, lastSeq - Math.floor(random() * 3)))
        for (const frame of rest.slice(0, 1 + Math.floor(random() * 9))) {
          if (random() < 0.15) continue
          state = run(state, ...frames(frame))
          if (state.turns.t) texts.push(answer(state)?.content ?? "")
        }
      }
      expect(texts.at(-1)).toBe(words.join(""))
      for (const text of texts) expect(words.join("").startsWith(text)).toBe(true)
      expect(answer(state)?.content).toBe("end")
    }
  })
})

describe("after a reload", () => {
  const saved = Object.values(run(begun, ...frames(token(1, "Two "))).turns)
  const restored = run(emptyState, { type: "restored", turns: saved, pending: [], at })

  it("starts a turn over, because the text is gone", () => {
    expect(commandsOnOpen(restored)).toEqual([{ cmd: "resume", turn_id: "t", after_seq: 0 }])
  })

  it("ends with the same text, whether the history or the frames come first", () => {
    const replayed = frames(token(1, "Two "), token(2, "hundred"))
    const one = run(restored, loaded(row("q", null)), ...replayed)
    const other = run(restored, ...replayed, loaded(row("q", null)))
    for (const state of [one, other]) {
      expect(path(state).map(({ id }) => id)).toEqual(["q", "a"])
      expect(answer(state)?.content).toBe("Two hundred")
    }
  })

  it("follows no turn whose answer the history has", () => {
    const state = run(restored, loaded(row("q", null), row("a", "q")), ...frames(token(1, "x")))
    expect(state.turns).toEqual({})
    expect(answer(state)?.content).toBe("a")
  })

  it("recognises a question that was accepted and answered meanwhile", () => {
    const state = run(
      emptyState,
      { type: "restored", turns: [], pending: [pending("c1", thread)], at },
      loaded(row("q", null), row("a", "q")),
      ...frames(accepted(), token(1, "again")),
    )
    expect(path(state).map(({ content }) => content)).toEqual(["q", "a"])
    expect(state.pending).toEqual({})
  })
})

describe("the history", () => {
  it("keeps an answer that just ended and that it doesn't tell yet", () => {
    const state = run(begun, ...frames(done(1, "fresh")), loaded(row("q", null)))
    expect(answer(state)?.content).toBe("fresh")
  })

  it("keeps the branch that is shown", () => {
    const rows = [row("q", null), row("a", "q"), row("b", "q", { turn_id: "u" })]
    const state = run(
      emptyState,
      loaded(...rows),
      { type: "selected", threadId: thread, messageId: "a" },
      loaded(...rows),
    )
    expect(answer(state)?.id).toBe("a")
  })

  it("wins over what was only guessed of a lost turn", () => {
    const [turn] = unansweredTurns(thread, [row("q", null)])
    const state = run(
      emptyState,
      { type: "restored", turns: turn ? [turn] : [], pending: [], at },
      ...frames(failure({ turn_id: "t", seq: 0, code: "not_found" })),
      loaded(row("q", null), row("a", "q")),
    )
    expect(siblings(threadOf(state, thread)?.tree ?? (undefined as never), "a")).toEqual(["a"])
  })

  it("names the questions that nobody answered", () => {
    const open = unansweredTurns(thread, [
      row("q", null),
      row("a", "q"),
      row("r", "a", { role: "user", turn_id: "u" }),
    ])
    expect(open.map(({ turnId }) => turnId)).toEqual(["u"])
  })

  it("asks about no question that has any answer, even of another turn", () => {
    expect(unansweredTurns(thread, [row("q", null), row("b", "q", { turn_id: "u" })])).toEqual([])
  })
})

describe("another answer", () => {
  const answered = run(begun, ...frames(done(1, "first")))
  const second = run(
    answered,
    queued(again("c2", "q")),
    ...frames(accepted("c2", { turn_id: "t2", answer: "b" })),
  )

  it("stands beside the first and is shown", () => {
    expect(siblings(threadOf(second, thread)?.tree ?? (undefined as never), "a")).toEqual([
      "a",
      "b",
    ])
    expect(answer(second)?.id).toBe("b")
  })

  it("leaves the question to its own turn", () => {
    expect(path(second)[0]?.turnId).toBe("t")
  })

  it("vanishes when it is discarded, and the first is shown again", () => {
    const less = run(answered, queued(again("c2", "q")), { type: "discarded", clientId: "c2" })
    expect(answer(less)?.content).toBe("first")
  })
})
