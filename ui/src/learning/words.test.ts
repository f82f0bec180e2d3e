import { describe, expect, it } from "vitest"
import type { FeedbackInfluence, GateFigure, Routing, TrainingRun } from "@/api/types"
import {
  adapterTitle,
  gainOf,
  isUnderWay,
  leadOf,
  many,
  originOf,
  percent,
  reasonWords,
  ruleWords,
  stageOf,
  stageWords,
  versionWords,
} from "./words"

const routing = (change: Partial<Routing>): Routing => ({
  turn_id: "t",
  model: "m",
  backend: "jax",
  policy_id: "policy.routing",
  policy_version: 1,
  without_learning: false,
  adapters: [],
  rules: [],
  instructions: [],
  context_ids: [],
  seed: 1,
  routed_at: "2026-11-25T12:00:00Z",
  ...change,
})

const adapter = {
  adapter_id: "a",
  name: "persona-1",
  kind: "persona",
  version: 1,
  gate: 1,
  skill_id: null,
  label: null,
  similarity: null,
}

describe("why an answer is as it is, in one sentence", () => {
  it("names what took part", () => {
    const instructions = [
      { text: "Answer in metric units.", origin: "feedback:1" },
      { text: "Be kind.", origin: null },
    ]
    expect(leadOf(routing({ adapters: [adapter], instructions }))).toBe(
      "One thing that liminal learned took part, and one wish of yours was read.",
    )
  })
  it("says that the base model was alone", () => {
    expect(leadOf(routing({}))).toContain("base model alone")
  })
  it("says that it was asked to leave out what was learned", () => {
    expect(leadOf(routing({ without_learning: true }))).toContain("as you asked")
  })
})

describe("words", () => {
  it("counts as people do", () => {
    expect([many(0, "wish", "wishes"), many(1, "turn"), many(12, "turn")]).toEqual([
      "no wishes",
      "one turn",
      "12 turns",
    ])
  })
  it("never shows the id that a persona is named by", () => {
    expect(adapterTitle({ name: "persona-0199", kind: "persona" })).toBe("Your habits")
    expect(adapterTitle({ name: "units", kind: "skill", label: "Units" })).toBe("Units")
  })
  it("tells what a rule did, and a rule that it does not know", () => {
    const rule = { rule: "persona", action: "activate", target: "x", value: 0.7 }
    expect(ruleWords(rule, () => "your habits")).toBe("put in your habits at 0.7")
    expect(ruleWords({ ...rule, action: "sing_along" })).toBe("sing along x")
  })
  it("knows where instructions come from", () => {
    expect(originOf("feedback:1").path).toBe("/settings/learned#1")
    expect(originOf(null)).toEqual({ words: "the policy", path: null })
  })
  it("explains why a gate was not passed", () => {
    expect(reasonWords(["not_better", "something_new"])).toBe(
      "It was not better beyond chance; something new",
    )
  })
  it("says that a version serves, whatever was decided before", () => {
    expect(versionWords({ state: "promoted", serving: true })).toBe("serves")
    expect(versionWords({ state: "promoted", serving: false })).toBe("served before")
  })
})

describe("a gain", () => {
  const figure = (name: string, candidate: number, baseline: number): GateFigure => ({
    name,
    candidate,
    baseline,
    low: null,
    high: null,
    passed: true,
  })
  it("is positive where surprise falls, and where more corrections are kept", () => {
    expect(gainOf(figure("not_better", 1, 2))).toBe(50)
    expect(gainOf(figure("general_nll", 0.04, 0.02))).toBeCloseTo(-1.98)
    expect(gainOf(figure("regressions", 3, 2))).toBe(50)
    expect(gainOf(figure("regressions", 3, 0))).toBeNull()
  })
  it("has a sign", () => {
    expect([percent(12.3), percent(-1.25), percent(0)]).toEqual(["+12 %", "−1.3 %", "0.0 %"])
  })
})

describe("the way of a correction", () => {
  const given = { updated_at: "2026-11-25T12:00:00Z" }
  const run = (change: Partial<TrainingRun>) =>
    ({
      state: "queued",
      decision: null,
      queued_at: "2026-11-25T12:00:05Z",
      step: null,
      steps: null,
      error_code: null,
      ...change,
    }) as TrainingRun
  const influence = (state: string, serving: boolean): FeedbackInfluence => ({
    feedback_id: "f",
    versions: [
      {
        adapter_id: "a",
        name: "n",
        version: 2,
        state,
        serving,
        trained_at: "2026-11-25T12:01:00Z",
        answers: 0,
      },
    ],
  })

  it("is told step by step", () => {
    const told = [
      stageOf(given, [], undefined),
      stageOf(given, [run({})], undefined),
      stageOf(given, [run({ state: "running", step: 3, steps: 10 })], undefined),
      stageOf(given, [run({ state: "done", decision: "trained" })], undefined),
      stageOf(given, [run({ state: "done", decision: "promoted" })], influence("promoted", true)),
    ]
    expect(told.map((stage) => stage && stageWords(stage))).toEqual([
      null,
      "Waits its turn to be learned",
      "Being learned, 30 %",
      "Learned; now it is checked",
      "In your answers, since version 2",
    ])
  })
  it("may still move on while what was made is being checked, and not after that", () => {
    const done = (decision: string | null) => isUnderWay(run({ state: "done", decision }))
    expect([done(null), done("trained"), done("evaluated"), done("promoted")]).toEqual([
      true,
      true,
      true,
      false,
    ])
    expect(isUnderWay(run({ state: "done", error_code: "engine_closed" }))).toBe(false)
  })
  it("does not claim a run that began before it", () => {
    expect(stageOf(given, [run({ queued_at: "2026-11-25T11:59:00Z" })], undefined)).toBeNull()
  })
  it("says when it was tried and not good enough", () => {
    const ended = run({ state: "done", decision: "rejected" })
    expect(stageOf(given, [ended], influence("rejected", false))).toEqual({ name: "refused" })
  })
})
