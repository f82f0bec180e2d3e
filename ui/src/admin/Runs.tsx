import { useRef, useState } from "react"
import { training } from "@/api/calls"
import type { TrainingRun } from "@/api/types"
import { useChange } from "@/learning/queries"
import { many, progressOf } from "@/learning/words"
import { Button } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { Chip, type ChipLook } from "@/parts/Small"
import { ago, count } from "@/parts/time"
import { AdapterName } from "./AdapterName"
import { trainingKey } from "./Learning"
import { curveOf, remember, type Sample } from "./loss"

const states: Record<TrainingRun["state"], { words: string; look: ChipLook }> = {
  queued: { words: "in the queue", look: "plain" },
  running: { words: "learning", look: "lamp" },
  retrying: { words: "tries again", look: "tide" },
  done: { words: "done", look: "moss" },
  failed: { words: "failed", look: "rose" },
  cancelled: { words: "called off", look: "plain" },
}

const reasons: Record<string, string> = {
  approved: "first version",
  more_evidence: "more feedback",
  withdrawal: "feedback was taken back",
  requested: "asked for",
}

/** A run that is done but whose version could not be checked leads to nothing yet. */
const unchecked: (typeof states)["done"] = { words: "not checked", look: "rose" }

function Title({ run }: { run: TrainingRun }) {
  const { words, look } =
    run.state === "done" && run.error_code !== null ? unchecked : states[run.state]
  return (
    <span className="flex min-w-0 flex-wrap items-center gap-x-2.5 gap-y-1">
      <AdapterName id={run.adapter_id} name={run.adapter} scope={run.scope} />
      <span className="text-sm text-soft">version {run.version}</span>
      <Chip look={look}>{words}</Chip>
    </span>
  )
}

const made = (run: TrainingRun) =>
  Object.entries(run.methods)
    .map(([method, examples]) => `${examples} ${method.toUpperCase()}`)
    .join(", ")

const remaining = (seconds: number) =>
  seconds > 90 ? `${Math.round(seconds / 60)} min` : `${Math.max(1, Math.round(seconds))} s`

export function OpenRun({ run, paused }: { run: TrainingRun; paused: boolean }) {
  const [asked, setAsked] = useState(false)
  const cancel = useChange(() => training.cancel(run.id), trainingKey)
  const share = progressOf(run)
  const left = run.metrics.seconds_left
  return (
    <li className="rounded-lg border border-line bg-raised px-5 py-4">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <Title run={run} />
        <Button small look="plain" onClick={() => setAsked(true)}>
          Call it off
        </Button>
      </div>
      <p className="mt-0.5 text-sm text-faint">
        {reasons[run.reason] ?? run.reason}, {many(run.examples, "lesson")}
        {made(run) && ` (${made(run)})`}
        {run.attempt > 1 && `, attempt ${run.attempt}`}
      </p>
      <div className="mt-3 flex items-end gap-5">
        <div className="min-w-0 flex-1">
          <div
            role="progressbar"
            aria-label={`Training of version ${run.version}`}
            aria-valuenow={Math.round(share * 100)}
            className="h-1.5 overflow-hidden rounded-full bg-lamp/20"
          >
            <div
              className={`h-full rounded-full bg-lamp transition-[width] duration-700 ease-linear ${paused ? "opacity-40" : ""}`}
              style={{ width: `${share * 100}%` }}
            />
          </div>
          <p className="mt-1.5 flex flex-wrap justify-between gap-x-4 text-xs text-faint tabular-nums">
            <span>
              {run.steps === null
                ? "has not begun"
                : `step ${count(run.step ?? 0)} of ${count(run.steps)}`}
            </span>
            {run.metrics.tokens_per_second !== undefined && (
              <span>{count(Math.round(run.metrics.tokens_per_second))} tokens a second</span>
            )}
            {left !== undefined && !paused && <span>{remaining(left)} left</span>}
          </p>
        </div>
        <Loss run={run} />
      </div>
      {asked && (
        <Confirm
          title="Call this run off?"
          action="Call off"
          busy={cancel.isPending}
          onClose={() => setAsked(false)}
          onConfirm={() => cancel.mutate(undefined, { onSettled: () => setAsked(false) })}
        >
          What it has learned so far is thrown away. The feedback stays, and counts for the next
          run.
        </Confirm>
      )}
    </li>
  )
}

/** The loss since this page was opened, as small as a word. */
function Loss({ run }: { run: TrainingRun }) {
  const samples = useRef<readonly Sample[]>([])
  const { loss } = run.metrics
  if (loss === undefined || run.step === null) return null
  samples.current = remember(samples.current, { step: run.step, loss })
  return (
    <div className="hidden shrink-0 text-right sm:block">
      <svg viewBox="0 0 1 1" preserveAspectRatio="none" className="h-8 w-28" aria-hidden="true">
        <polyline
          points={curveOf(samples.current)}
          className="fill-none stroke-lamp"
          strokeWidth="1.6"
          strokeLinejoin="round"
          vectorEffect="non-scaling-stroke"
        />
      </svg>
      <p className="mt-0.5 text-xs text-faint tabular-nums">loss {loss.toFixed(3)}</p>
    </div>
  )
}

export function EndedRun({ run }: { run: TrainingRun }) {
  const refused = Object.values(run.refused).reduce((sum, each) => sum + each, 0)
  return (
    <li className="border-t border-line py-3">
      <p className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <Title run={run} />
        <span className="text-sm text-faint">{run.ended_at && ago(run.ended_at)}</span>
      </p>
      <p className="mt-0.5 text-sm text-faint">
        {many(run.examples, "lesson")}
        {made(run) && ` (${made(run)})`}
        {refused > 0 && `, ${refused} left out as unsafe or doubled`}
        {run.seconds !== null && `, ${run.seconds.toFixed(0)} s`}
        {run.metrics.loss !== undefined && `, loss ${run.metrics.loss.toFixed(3)}`}
      </p>
      {run.error_message && <p className="mt-1 text-sm text-rose">{run.error_message}</p>}
    </li>
  )
}
