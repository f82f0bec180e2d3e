import { useQuery } from "@tanstack/react-query"
import { Info } from "lucide-react"
import { lazy, type ReactNode, Suspense, useState } from "react"
import { conversations } from "@/api/calls"
import type { Trace } from "@/api/types"
import { count, fullTime } from "@/parts/time"
import type { Message } from "@/store/tree"
import { useThreadContext } from "./context"

const Why = lazy(() => import("./Why"))

/** Leads to why an answer is as it is; lit where something that was learned took part. */
export function Making({ message, trace }: { message: Message; trace: Trace }) {
  const [open, setOpen] = useState(false)
  const learned = trace.adapters?.length ?? 0
  return (
    <>
      <button
        type="button"
        aria-haspopup="dialog"
        aria-label="Why this answer"
        title="Why this answer"
        onClick={() => setOpen(true)}
        className={`inline-flex h-8 min-w-8 items-center justify-center gap-1.5 rounded-md px-2 text-xs font-[550] transition-colors hover:bg-hover touch:h-9 [&_svg]:size-4 ${learned > 0 ? "text-lamp-ink" : "text-faint hover:text-ink"}`}
      >
        <Info />
        {learned > 0 && <span aria-hidden="true">{learned} learned</span>}
      </button>
      {open && (
        <Suspense>
          <Why message={message} trace={trace} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  )
}

/** The machinery of an answer, with the seed to do it again. */
export function Facts({ message, trace }: { message: Message; trace: Trace }) {
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5 text-sm">
      <Row name="Model">{trace.model}</Row>
      {trace.policy_version !== null && <Row name="Policy">version {trace.policy_version}</Row>}
      {trace.seed !== null && (
        <Row name="Seed">
          <span className="font-mono text-xs">{trace.seed}</span>
        </Row>
      )}
      {message.usage && (
        <Row name="Tokens">
          {count(message.usage.prompt_tokens)} read, {count(message.usage.completion_tokens)}{" "}
          written
        </Row>
      )}
      <Before trace={trace} />
      <Row name="Time">{fullTime(message.createdAt)}</Row>
    </dl>
  )
}

/** What the model read of the messages that its window no longer held. */
function Before({ trace }: { trace: Trace }) {
  const { threadId } = useThreadContext()
  const version = trace.summary_version ?? null
  const [open, setOpen] = useState(false)
  const notes = useQuery({
    queryKey: ["summaries", threadId],
    queryFn: () => conversations.summaries(threadId),
    enabled: open,
  })
  const text = notes.data?.items.find((summary) => summary.version === version)?.text
  return (
    <>
      {version !== null && (
        <Row name="Before">
          <details onToggle={(event) => setOpen(event.currentTarget.open)}>
            <summary className="cursor-pointer">read as notes, version {version}</summary>
            <p className="mt-1 max-h-40 overflow-y-auto whitespace-pre-wrap text-soft">
              {text ?? (notes.isPending ? "…" : "These notes can't be shown.")}
            </p>
          </details>
        </Row>
      )}
      {(trace.left_out ?? 0) > 0 && (
        <Row name="Left out">{count(trace.left_out ?? 0)} older messages that did not fit</Row>
      )}
    </>
  )
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  )
}
