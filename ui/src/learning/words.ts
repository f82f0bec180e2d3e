/** What learning did, in words for people. Pure. */
import type {
  Adapter,
  AdapterVersion,
  Feedback,
  FeedbackInfluence,
  GateFigure,
  Routing,
  RuleFired,
  TrainingRun,
} from "@/api/types"
import { count } from "@/parts/time"

const numerals = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

/** A count with its noun: "three wishes", "12 wishes". */
export const many = (value: number, one: string, more = `${one}s`): string =>
  `${numerals[value] ?? count(value)} ${value === 1 ? one : more}`

export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

interface Named {
  name: string | null
  kind: string | null
  label?: string | null
  scope?: string
}

/** What an adapter is called where its owner reads it; personas are named by an id on the log. */
export function adapterTitle({ name, kind, label }: Named): string {
  if (kind === "persona") return "Your habits"
  return label || (name ?? "Something learned")
}

export const kindWords: Record<Adapter["kind"], string> = {
  persona: "habits",
  skill: "skill",
  imported: "imported",
}

export const feedbackWords: Record<Feedback["kind"], string> = {
  always: "Always",
  never: "Never",
  correction: "Corrected",
  note: "Note",
  thumb: "Thumb",
}

/** The one sentence that answers "why this answer". */
export function leadOf({ adapters, instructions, without_learning }: Routing): string {
  if (without_learning) return "Made without what liminal learned from you, as you asked."
  const told = instructions.filter(({ origin }) => origin !== null).length
  const parts = [
    adapters.length > 0 && `${many(adapters.length, "thing")} that liminal learned took part`,
    told > 0 && `${many(told, "wish", "wishes")} of yours ${told === 1 ? "was" : "were"} read`,
  ].filter((part) => part !== false)
  if (parts.length === 0) return "The base model alone: nothing that was learned took part."
  return `${capital(parts.join(", and "))}.`
}

const shown = (value: number | null) => (value === null ? "" : Number(value.toFixed(2)).toString())

/** What one rule of the policy did; `nameOf` knows what targets are called. */
export function ruleWords(
  { action, target, value }: RuleFired,
  nameOf: (target: string) => string = (name) => name,
): string {
  const what = target === null ? "" : nameOf(target)
  const table: Record<string, string> = {
    activate: `put in ${what} at ${shown(value)}`,
    deactivate: `took out ${what}`,
    scale: `multiplied ${what} by ${shown(value)}`,
    set_gate: `set ${what} to ${shown(value)}`,
    choose_backend: `chose ${what} to answer`,
    add_instruction: `told the model ${what || "something"}`,
    drop_instruction: `left out ${what || "an instruction"}`,
    require_context: `answered from ${what}`,
  }
  return table[action] ?? `${action.replaceAll("_", " ")} ${what}`.trim()
}

export const ruleNames: Record<string, string> = {
  guards: "the guard-rails",
  request: "your own choice",
}

export interface OriginPlace {
  words: string
  /** Where it can be looked at, in this interface. */
  path: string | null
}

/** Where an instruction comes from: `feedback:<id>`, `preference:<id>`, `setting:<name>`, or the policy. */
export function originOf(origin: string | null): OriginPlace {
  const [kind, id] = origin?.split(":") ?? []
  switch (kind) {
    case "feedback":
      return { words: "a rule you gave", path: `/settings/learned#${id}` }
    case "preference":
      return { words: "a wish that was noticed", path: `/settings/learned#${id}` }
    case "setting":
      return { words: "your settings", path: "/settings/account" }
    default:
      return { words: "the policy", path: null }
  }
}

/** Who gave a group or skill its name, and what else is typical of it. */
export function namedBy(
  source: "model" | "words" | "person",
  words: readonly string[],
  label: string,
): string {
  if (source === "words") return "named by its most typical words"
  const typical = words.length > 0 && words.join(", ") !== label ? `: ${words.join(", ")}` : ""
  return `named by ${source === "model" ? "the model" : "a person"}${typical}`
}

export const figureNames: Record<string, { title: string; about: string; better: "low" | "high" }> =
  {
    not_better: {
      title: "Held-out answers",
      about: "Surprise at answers it had not learned from, in nats a token. Less is better.",
      better: "low",
    },
    general_nll: {
      title: "General answers",
      about:
        "Surprise at answers that have one form whatever the style. It may rise a little, not more.",
      better: "low",
    },
    told_nll: {
      title: "Answers to wishes",
      about:
        "Surprise at answers whose form the message or the conversation asks for. It may rise somewhat.",
      better: "low",
    },
    regressions: {
      title: "Corrections kept",
      about: "Stored corrections that it prefers to what was said before.",
      better: "high",
    },
  }

export const figureTitle = (name: string) =>
  figureNames[name]?.title ?? capital(name.replaceAll("_", " "))

export const figureValue = ({ name }: GateFigure, value: number) =>
  name === "regressions" ? count(Math.round(value)) : value.toFixed(3)

/** The gain of a figure in its own direction, in per cent; null where there is nothing to compare with. */
export function gainOf({ name, candidate, baseline }: GateFigure): number | null {
  // of surprise near zero a share says nothing: there it is the likelihood of a token, as at the gate
  if (name === "general_nll" || name === "told_nll")
    return 100 * (Math.exp(baseline - candidate) - 1)
  if (baseline === 0) return null
  const change = (candidate - baseline) / Math.abs(baseline)
  return 100 * (figureNames[name]?.better === "high" ? change : -change)
}

export const percent = (value: number) =>
  `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(Math.abs(value) < 10 ? 1 : 0)} %`

const reasonTable: Record<string, string> = {
  not_better: "It was not better beyond chance",
  general_nll: "It forgot too much of the rest",
  told_nll: "It follows too little of what messages ask for",
  regressions: "It lost corrections that were kept before",
  turned_down: "It was turned down",
}

export const reasonWords = (reasons: readonly string[]) =>
  reasons.map((reason) => reasonTable[reason] ?? reason.replaceAll("_", " ")).join("; ")

/** How a version stands, in a word or two. */
export function versionWords(version: Pick<AdapterVersion, "state" | "serving">): string {
  if (version.serving) return "serves"
  const table: Record<AdapterVersion["state"], string> = {
    trained: "being checked",
    evaluated: "waits for a decision",
    promoted: "served before",
    rejected: "rejected",
    rolled_back: "rolled back",
  }
  return table[version.state]
}

export const isOpen = ({ state }: Pick<TrainingRun, "state">) =>
  state === "queued" || state === "running" || state === "retrying"

/** Runs at once, trained but not yet judged, are still under way for those who wait. */
const isJudged = ({ decision }: TrainingRun) =>
  decision !== null && decision !== "trained" && decision !== "evaluated"

/** Something may still come of a run: it is open, or what it made is being checked. */
export const isUnderWay = (run: TrainingRun) =>
  isOpen(run) || (run.state === "done" && run.error_code === null && !isJudged(run))

export const progressOf = ({ step, steps }: Pick<TrainingRun, "step" | "steps">): number =>
  step !== null && steps ? Math.min(1, step / steps) : 0

export type Stage =
  | { name: "waits" }
  | { name: "learning"; share: number }
  | { name: "checked" }
  | { name: "serves"; version: number }
  | { name: "refused" }

/** Clocks of this machine and the server's differ a little. */
const SLACK = 2_000

/** How far a piece of feedback is on its way into answers; null while nothing has begun. */
export function stageOf(
  feedback: Pick<Feedback, "updated_at">,
  runs: readonly TrainingRun[],
  influence: FeedbackInfluence | undefined,
): Stage | null {
  const newest = influence?.versions.at(-1)
  const serving = influence?.versions.findLast((each) => each.serving)
  if (serving) return { name: "serves", version: serving.version }
  const given = Date.parse(feedback.updated_at) - SLACK
  const run = runs.find((each) => Date.parse(each.queued_at) >= given && !isJudged(each))
  if (run?.state === "queued") return { name: "waits" }
  if (run && isOpen(run)) return { name: "learning", share: progressOf(run) }
  if (run?.state === "done" && run.error_code === null) return { name: "checked" }
  return newest?.state === "rejected" ? { name: "refused" } : null
}

export function stageWords(stage: Stage): string {
  switch (stage.name) {
    case "waits":
      return "Waits its turn to be learned"
    case "learning":
      return stage.share > 0 ? `Being learned, ${Math.round(stage.share * 100)} %` : "Being learned"
    case "checked":
      return "Learned; now it is checked"
    case "serves":
      return `In your answers, since version ${stage.version}`
    case "refused":
      return "Tried, but not yet better. It stays for the next time"
  }
}
