import { describe, expect, it } from "vitest"
import { at, difference } from "./patch"
import { curveOf, remember } from "./loss"

describe("the operations that turn one JSON into another", () => {
  it("name only what changed", () => {
    const before = { guards: { adapters: 4, sum: 2.5 }, rules: [{ name: "persona" }], old: 1 }
    const after = {
      guards: { adapters: 3, sum: 2.5 },
      rules: [{ name: "persona" }, "x"],
      new: null,
    }
    expect(difference(before, after)).toEqual([
      { op: "remove", path: "/old" },
      { op: "replace", path: "/guards/adapters", value: 3 },
      { op: "add", path: "/rules/-", value: "x" },
      { op: "add", path: "/new", value: null },
    ])
  })
  it("take places of an array away from its end", () => {
    expect(difference([1, 2, 3], [1]).map(({ path }) => path)).toEqual(["/2", "/1"])
  })
  it("are none where nothing changed, in whatever order", () => {
    expect(difference({ a: 1, b: [{}] }, { b: [{}], a: 1 })).toEqual([])
  })
  it("escape what a pointer could misread", () => {
    const [operation] = difference({ "a/b~c": 1 }, { "a/b~c": 2 })
    expect(operation?.path).toBe("/a~1b~0c")
    expect(at({ "a/b~c": 1 }, "/a~1b~0c")).toBe(1)
  })
  it("replace the whole where the kinds differ", () => {
    expect(difference([], {})).toEqual([{ op: "replace", path: "", value: {} }])
  })
})

describe("the loss of a run", () => {
  it("grows by steps, and begins anew with the run", () => {
    const one = remember([], { step: 5, loss: 2 })
    expect(remember(one, { step: 5, loss: 1 })).toBe(one)
    expect(remember(one, { step: 9, loss: 1 })).toHaveLength(2)
    expect(remember(one, { step: 1, loss: 3 })).toEqual([{ step: 1, loss: 3 }])
  })
  it("is a line from left to right that falls as the loss does", () => {
    const samples = [
      { step: 0, loss: 4 },
      { step: 10, loss: 2 },
    ]
    expect(curveOf(samples)).toBe("0.0000,0.0500 1.0000,0.9500")
    expect(curveOf(samples.slice(0, 1))).toBe("")
  })
})
