import { ChevronDown } from "lucide-react"
import { useId, useState } from "react"
import { training } from "@/api/calls"
import type { Adapter, AdapterVersion } from "@/api/types"
import { useChange } from "@/learning/queries"
import { ReportDialog } from "@/learning/Report"
import { VersionChip } from "@/learning/VersionChip"
import { gainOf, kindWords, many, percent, reasonWords } from "@/learning/words"
import { Button } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { Chip } from "@/parts/Small"
import { ago } from "@/parts/time"
import { AdapterName } from "./AdapterName"
import { trainingKey } from "./Learning"

/** An adapter, and behind a click every version with its gate and what can be decided. */
export function AdapterRow({ adapter }: { adapter: Adapter }) {
  const [open, setOpen] = useState(false)
  const id = useId()
  const serving = adapter.versions.find((version) => version.serving)
  return (
    <li className="border-t border-line">
      <button
        type="button"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
        className="flex w-full flex-wrap items-center gap-x-5 gap-y-1 py-3.5 text-left"
      >
        <span className="flex min-w-44 flex-1 flex-wrap items-center gap-x-2.5 gap-y-1">
          <AdapterName id={adapter.id} name={adapter.name} scope={adapter.scope} />
          <Chip>{kindWords[adapter.kind]}</Chip>
          {adapter.scope === "tenant" && <Chip>everybody's</Chip>}
          {!adapter.active && <Chip>off</Chip>}
          {adapter.retired && <Chip>retired</Chip>}
        </span>
        <Lifts versions={adapter.versions} />
        <span className="flex items-center gap-5 text-sm text-soft">
          <span className="sm:w-32 sm:text-right">
            {serving ? `version ${serving.version} serves` : "the base answers"}
          </span>
          <ChevronDown
            className={`size-4 text-faint transition-transform ${open ? "rotate-180" : ""}`}
          />
        </span>
      </button>
      {open && (
        <ul id={id} className="settle pb-5">
          {adapter.versions.length === 0 && (
            <li className="py-2 text-sm text-faint">No version has been trained yet.</li>
          )}
          {adapter.versions.map((version) => (
            <Version key={version.version} adapter={adapter} version={version} />
          ))}
        </ul>
      )}
    </li>
  )
}

const BAR = 7
const HEIGHT = 22
/** Gain in per cent that fills the height. */
const FULL = 60

/** One bar a version: how much better it was on held-out answers; hollow where it did not pass. */
function Lifts({ versions }: { versions: readonly AdapterVersion[] }) {
  const shown = versions
    .toReversed()
    .flatMap((version) => {
      const figure = version.figures.find(({ name }) => name === "not_better")
      const gain = figure ? gainOf(figure) : null
      return gain === null ? [] : [{ ...version, gain }]
    })
    .slice(-12)
  if (shown.length === 0) return null
  return (
    <svg
      width={shown.length * (BAR + 3)}
      height={HEIGHT}
      aria-hidden="true"
      className="hidden overflow-visible sm:block"
    >
      <line x1="0" x2={shown.length * (BAR + 3)} y1={HEIGHT} y2={HEIGHT} className="stroke-line" />
      {shown.map(({ version, gain, passed, serving }, index) => {
        const height = Math.max(2, Math.min(1, Math.max(0, gain) / FULL) * HEIGHT)
        const look = serving ? "fill-lamp" : passed ? "fill-lamp/40" : "fill-none stroke-rose/60"
        return (
          <rect
            key={version}
            x={index * (BAR + 3)}
            y={HEIGHT - height}
            width={BAR}
            height={height}
            rx="1.5"
            className={look}
          />
        )
      })}
    </svg>
  )
}

type Asked = "promote" | "reject" | "back"

const questions: Record<Asked, { title: string; action: string; words: string }> = {
  promote: {
    title: "Let this version serve?",
    action: "Promote",
    words: "It takes part in answers from the next one on; the version that serves now stays.",
  },
  reject: {
    title: "Turn this version down?",
    action: "Reject",
    words:
      "It will not serve. The feedback that it learned from stays, and counts for the next one.",
  },
  back: {
    title: "Take this version out of answers?",
    action: "Roll back",
    words: "The version that served before answers again, or the base model alone where none did.",
  },
}

function Version({ adapter, version }: { adapter: Adapter; version: AdapterVersion }) {
  const [asked, setAsked] = useState<Asked | null>(null)
  const [report, setReport] = useState(false)
  const decide = useChange(async (what: Asked) => {
    if (what === "promote") await training.promote(adapter.id, version.version)
    else if (what === "reject") await training.reject(adapter.id, version.version)
    else await training.rollBack(adapter.id, null)
  }, trainingKey)
  const heldOut = version.figures.find(({ name }) => name === "not_better")
  const gain = heldOut ? gainOf(heldOut) : null
  const buttons = (
    <>
      {version.serving ? (
        <Button small onClick={() => setAsked("back")}>
          Roll back
        </Button>
      ) : (
        <>
          {version.passed && (
            <Button small look="primary" onClick={() => setAsked("promote")}>
              Promote
            </Button>
          )}
          {version.state !== "rejected" && (
            <Button small look="plain" onClick={() => setAsked("reject")}>
              Reject
            </Button>
          )}
        </>
      )}
    </>
  )
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1.5 py-2 pl-4 text-sm">
      <span className="w-20 tabular-nums">version {version.version}</span>
      <VersionChip version={version} />
      {version.tainted && <Chip look="rose">feedback taken back</Chip>}
      <span className="min-w-40 flex-1 text-faint">
        {[
          version.reasons.length > 0
            ? reasonWords(version.reasons)
            : gain !== null && `${percent(gain)} on held-out answers`,
          version.feedback > 0 && `${many(version.feedback, "piece")} of feedback`,
          ago(version.trained_at),
        ]
          .filter(Boolean)
          .join(", ")}
      </span>
      <span className="flex gap-1.5">
        <Button small look="plain" onClick={() => setReport(true)}>
          Report
        </Button>
        {buttons}
      </span>
      {report && (
        <ReportDialog
          queryKey={["admin-report", adapter.id, version.version, version.state]}
          load={() => training.report(adapter.id, version.version)}
          onClose={() => setReport(false)}
          actions={() => buttons}
        />
      )}
      {asked && (
        <Confirm
          title={questions[asked].title}
          action={questions[asked].action}
          look={asked === "promote" ? "primary" : "danger"}
          busy={decide.isPending}
          onClose={() => setAsked(null)}
          onConfirm={() => decide.mutate(asked, { onSettled: () => setAsked(null) })}
        >
          {questions[asked].words}
        </Confirm>
      )}
    </li>
  )
}
