import { useQuery } from "@tanstack/react-query"
import { Lock } from "lucide-react"
import type { ReactNode } from "react"
import type { GateReport, ReportExample } from "@/api/types"
import { Dialog, DialogBody } from "@/parts/Dialog"
import { Bars, Failed } from "@/parts/States"
import { fullTime } from "@/parts/time"
import { Figures } from "./Figures"
import { VersionChip } from "./VersionChip"
import { adapterTitle, many, reasonWords } from "./words"

interface Props {
  queryKey: readonly unknown[]
  load: () => Promise<GateReport>
  onClose: () => void
  /** What can be decided about it. */
  actions?: (report: GateReport) => ReactNode
}

/** How a version's gate went: figures with intervals, and answers side by side. */
export function ReportDialog({ queryKey, load, onClose, actions }: Props) {
  const report = useQuery({ queryKey, queryFn: load })
  return (
    <Dialog title="Gate report" width="wide" onClose={onClose}>
      <DialogBody reading>
        {report.isPending && <Bars rows={6} className="w-full py-4" />}
        {report.isError && (
          <Failed
            what="The report can't be read"
            error={report.error}
            onRetry={() => report.refetch()}
          />
        )}
        {report.data && <ReportBody report={report.data} actions={actions} />}
      </DialogBody>
    </Dialog>
  )
}

function ReportBody({ report, actions }: { report: GateReport; actions: Props["actions"] }) {
  const { adapter, version, examples } = report
  const lessons = examples.filter(({ kind }) => kind === "lesson")
  const general = examples.filter(({ kind }) => kind === "general")
  return (
    <>
      <div className="mb-4 flex flex-wrap items-center gap-x-3 gap-y-1.5 text-sm text-soft">
        <span className="font-[550] text-ink">
          {adapter.mine ? adapterTitle(adapter) : adapter.name}, version {version.version}
        </span>
        <VersionChip version={version} />
        <span>trained {fullTime(version.trained_at)}</span>
        {version.feedback > 0 && <span>from {many(version.feedback, "piece")} of feedback</span>}
        <span className="ml-auto flex gap-2">{actions?.(report)}</span>
      </div>
      {version.reasons.length > 0 && (
        <p className="mb-4 rounded-md bg-rose-wash px-4 py-2.5 text-sm text-rose">
          {reasonWords(version.reasons)}.
        </p>
      )}
      {version.figures.length > 0 ? (
        <Figures figures={version.figures} />
      ) : (
        <p className="text-sm text-faint">Its gate has not measured anything yet.</p>
      )}
      <Examples
        title="What it was taught for"
        about="Answers to what people corrected or liked, by adapters that had not seen that very lesson."
        items={lessons}
      />
      <Examples
        title="Everything else"
        about="Stored questions of all kinds: they should be answered as well as before."
        items={general}
      />
    </>
  )
}

function Examples({
  title,
  about,
  items,
}: {
  title: string
  about: string
  items: readonly ReportExample[]
}) {
  if (items.length === 0) return null
  return (
    <section className="mt-7">
      <h3 className="font-[600]">{title}</h3>
      <p className="text-sm text-faint">{about}</p>
      <ul className="mt-2">
        {items.map((item, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: examples of one report never move
          <Example key={index} item={item} />
        ))}
      </ul>
    </section>
  )
}

const questionOf = ({ prompt }: ReportExample): string => {
  const last = prompt?.findLast((each) => each.role === "user")
  return typeof last?.content === "string" ? last.content : ""
}

function Example({ item }: { item: ReportExample }) {
  if (item.prompt === null)
    return (
      <li className="flex items-center gap-2 border-t border-line py-3 text-sm text-faint">
        <Lock className="size-3.5" aria-hidden="true" />
        Somebody's own words; they stay closed.
        <Surprise item={item} />
      </li>
    )
  return (
    <li className="border-t border-line py-4">
      <p className="flex flex-wrap items-baseline gap-x-4">
        <span className="rounded-lg rounded-br-sm bg-tide-wash px-3 py-1 text-sm">
          {questionOf(item)}
        </span>
        <Surprise item={item} />
      </p>
      <div className="mt-2.5 grid gap-x-5 gap-y-2.5 sm:grid-cols-3">
        <Text title="Before" text={item.before} />
        <Text title="After" text={item.after} same={item.after === item.before} />
        <Text title="Wanted" text={item.wanted} look="lamp" />
      </div>
    </li>
  )
}

function Surprise({ item }: { item: ReportExample }) {
  if (item.nll_before === null || item.nll_after === null) return null
  const better = item.nll_after < item.nll_before
  return (
    <span className="ml-auto text-xs whitespace-nowrap text-faint tabular-nums">
      surprise at what was wanted {item.nll_before.toFixed(2)} →{" "}
      <span className={better ? "font-[550] text-moss" : "font-[550] text-rose"}>
        {item.nll_after.toFixed(2)}
      </span>
    </span>
  )
}

interface TextProps {
  title: string
  text: string | null
  look?: "lamp"
  /** Nothing changed, which is quicker to read than the text again. */
  same?: boolean
}

function Text({ title, text, look, same }: TextProps) {
  return (
    <div className={`min-w-0 border-l-2 pl-3 ${look ? "border-lamp" : "border-line"}`}>
      <p className={`text-xs font-semibold ${look ? "text-lamp-ink" : "text-faint"}`}>{title}</p>
      <p className="font-serif text-base leading-snug break-words whitespace-pre-line">
        {same || text === null ? (
          <span className="text-faint italic">{same ? "the same" : "nothing"}</span>
        ) : (
          text
        )}
      </p>
    </div>
  )
}
