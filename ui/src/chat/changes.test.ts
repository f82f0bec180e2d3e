import { expect, it } from "vitest"
import { changesOf } from "./changes"

const after = (runs: ReturnType<typeof changesOf>) =>
  runs
    .filter(({ kind }) => kind !== "gone")
    .map(({ text }) => text)
    .join("")
const before = (runs: ReturnType<typeof changesOf>) =>
  runs
    .filter(({ kind }) => kind !== "new")
    .map(({ text }) => text)
    .join("")

const old = "Rest it for half an hour.\n\nThen bake it at 350 °F."
const better = "Rest it for thirty minutes.\n\nThen bake it at 180 °C."

it("takes words that changed together as one change", () => {
  const runs = changesOf("a pinch of salt", "four grams of salt")
  expect(runs).toEqual([
    { kind: "gone", text: "a pinch" },
    { kind: "new", text: "four grams" },
    { kind: "same", text: " of salt" },
  ])
})

it("loses nothing of either text", () => {
  const runs = changesOf(old, better)
  expect(before(runs)).toBe(old)
  expect(after(runs)).toBe(better)
})

it("finds no change where there is none", () => {
  expect(changesOf(old, old)).toEqual([{ kind: "same", text: old }])
  expect(changesOf("", "new")).toEqual([{ kind: "new", text: "new" }])
})
