import { useState } from "react"
import { learning } from "@/api/calls"
import type { Adapter, AdapterVersion } from "@/api/types"
import { Button } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { Door } from "@/parts/Door"
import { Chip } from "@/parts/Small"
import { ago } from "@/parts/time"
import { Toggle } from "@/settings/Group"
import { ReportDialog } from "./Report"
import { adaptersKey, useChange } from "./queries"
import { adapterTitle, gainOf, kindWords, many, percent, reasonWords } from "./words"
import { VersionChip } from "./VersionChip"

interface Props {
  items: readonly Adapter[]
  /** skill → what it is called */
  labels: ReadonlyMap<string, string>
}

/** What changes the person's answers: on or off, and every version there was. */
export function Adapters({ items, labels }: Props) {
  return (
    <ul className="flex flex-col gap-3">
      {items.map((item) => (
        <Card key={item.id} adapter={item} label={labels.get(item.skill_id ?? "") ?? null} />
      ))}
    </ul>
  )
}

function Card({ adapter, label }: { adapter: Adapter; label: string | null }) {
  const title = adapterTitle({ ...adapter, label })
  const serving = adapter.versions.find((each) => each.serving)
  const change = useChange(
    (active: boolean) => learning.switchAdapter(adapter.id, active),
    adaptersKey,
  )
  const lit = serving !== undefined && adapter.active
  return (
    <li
      className={`rounded-lg border px-5 pt-4 pb-4 ${lit ? "border-lamp-line bg-lamp-wash" : "border-line bg-raised"}`}
    >
      <div className="flex items-start gap-4">
        <Door className="mt-0.5 size-7 shrink-0" lit={lit} />
        <div className="min-w-0 flex-1">
          <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <span className="font-serif text-lg leading-tight font-[480]">{title}</span>
            <Chip look={lit ? "lamp" : "plain"}>
              {adapter.mine ? kindWords[adapter.kind] : "shared"}
            </Chip>
          </p>
          <p className="mt-0.5 text-sm text-soft">{standing(adapter, serving)}</p>
        </div>
        {adapter.mine && !adapter.retired && (
          <Toggle label={`Use ${title}`} on={adapter.active} onChange={change.mutate} />
        )}
      </div>
      {adapter.versions.length > 0 && (
        <details className="mt-3 text-sm">
          <summary className="text-soft hover:text-ink">
            {many(adapter.versions.length, "version")}
          </summary>
          <ul className="mt-1">
            {adapter.versions.map((version) => (
              <Version key={version.version} adapter={adapter} version={version} />
            ))}
          </ul>
        </details>
      )}
    </li>
  )
}

function standing(adapter: Adapter, serving: AdapterVersion | undefined): string {
  if (adapter.retired) return "Retired. It takes part in nothing any more."
  if (!adapter.active) return "Off. Answers are made without it; nothing is forgotten."
  if (!serving) return "Nothing serves yet: no version has passed its gate."
  const parts = [
    `Version ${serving.version} is in your answers`,
    adapter.serving_since && `came in ${ago(adapter.serving_since)}`,
    serving.feedback > 0 && `learned from ${many(serving.feedback, "piece")} of feedback`,
  ]
  return `${parts.filter(Boolean).join(", ")}.`
}

function Version({ adapter, version }: { adapter: Adapter; version: AdapterVersion }) {
  const [report, setReport] = useState(false)
  const [asked, setAsked] = useState(false)
  const back = useChange(() => learning.rollBack(adapter.id, version.version), adaptersKey)
  const heldOut = version.figures.find(({ name }) => name === "not_better")
  const gain = heldOut ? gainOf(heldOut) : null
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 border-t border-lamp-line py-2">
      <span className="w-20 tabular-nums">version {version.version}</span>
      <VersionChip version={version} />
      <span className="flex-1 text-faint">
        {version.reasons.length > 0
          ? reasonWords(version.reasons)
          : gain !== null && `${percent(gain)} on held-out answers`}
        {version.tainted && " Rests on feedback that you took back."}
      </span>
      {adapter.mine && version.passed && !version.serving && adapter.serving_version !== null && (
        <Button small look="plain" onClick={() => setAsked(true)}>
          Go back to it
        </Button>
      )}
      {version.figures.length > 0 && (
        <Button small look="plain" onClick={() => setReport(true)}>
          Report
        </Button>
      )}
      {report && (
        <ReportDialog
          queryKey={["report", adapter.id, version.version]}
          load={() => learning.report(adapter.id, version.version)}
          onClose={() => setReport(false)}
        />
      )}
      {asked && (
        <Confirm
          title={`Go back to version ${version.version}?`}
          action="Go back"
          look="primary"
          busy={back.isPending}
          onClose={() => setAsked(false)}
          onConfirm={() => back.mutate(undefined, { onSettled: () => setAsked(false) })}
        >
          Your next answers are made with it. The version that serves now stays, and you can come
          back to it.
        </Confirm>
      )}
    </li>
  )
}
