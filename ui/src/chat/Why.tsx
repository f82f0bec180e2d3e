import { useQueries } from "@tanstack/react-query"
import { Sparkle, Undo2 } from "lucide-react"
import type { ReactNode } from "react"
import { learning } from "@/api/calls"
import { ApiError } from "@/api/client"
import type { LineageAdapter, MessageLineage, Routing, Trace } from "@/api/types"
import { FeedbackItem } from "@/learning/Evidence"
import { FigureList } from "@/learning/Figures"
import { GateBar } from "@/learning/GateBar"
import {
  adapterTitle,
  capital,
  leadOf,
  many,
  originOf,
  ruleNames,
  ruleWords,
} from "@/learning/words"
import { Button } from "@/parts/Button"
import { Link } from "@/parts/Link"
import { Sheet } from "@/parts/Sheet"
import { Bars, Failed } from "@/parts/States"
import { useClient } from "@/store/react"
import type { Message } from "@/store/tree"
import { useThreadContext } from "./context"
import { Facts } from "./Making"

interface Props {
  message: Message
  trace: Trace
  onClose: () => void
}

const once = { staleTime: Number.POSITIVE_INFINITY } as const

/** Everything that made an answer: what was learned, which rule did what, and the words behind it. */
export default function Why({ message, trace, onClose }: Props) {
  const [routing, lineage] = useQueries({
    queries: [
      { queryKey: ["routing", message.id], queryFn: () => learning.routing(message.id), ...once },
      { queryKey: ["lineage", message.id], queryFn: () => learning.lineage(message.id) },
    ],
  })
  const unknown = routing.error instanceof ApiError && routing.error.status === 404
  return (
    <Sheet
      title="Why this answer"
      onClose={onClose}
      footer={routing.data && <Again message={message} routing={routing.data} onDone={onClose} />}
    >
      {routing.isPending && <Bars rows={5} className="pt-2" />}
      {unknown && <p className="text-soft">It came with an import: nothing here made it.</p>}
      {routing.isError && !unknown && (
        <Failed
          what="The reasons can't be read"
          error={routing.error}
          onRetry={() => routing.refetch()}
        />
      )}
      {routing.data && (
        <>
          <p className="font-serif text-lg leading-snug text-soft">{leadOf(routing.data)}</p>
          <Learned routing={routing.data} lineage={lineage.data} onFollow={onClose} />
          <Instructions routing={routing.data} onFollow={onClose} />
          <Rules routing={routing.data} />
        </>
      )}
      <Section title="How it was made">
        <Facts message={message} trace={trace} />
      </Section>
    </Sheet>
  )
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="mt-7">
      <h3 className="mb-2 text-sm font-semibold text-faint">{title}</h3>
      {children}
    </section>
  )
}

interface LearnedProps {
  routing: Routing
  lineage: MessageLineage | undefined
  onFollow: () => void
}

function Learned({ routing, lineage, onFollow }: LearnedProps) {
  if (routing.adapters.length === 0) return null
  const chains = new Map(lineage?.adapters.map((each) => [each.adapter_id, each]))
  return (
    <Section title="What was learned">
      <ul className="flex flex-col gap-4">
        {routing.adapters.map((adapter) => {
          const title = adapterTitle(adapter)
          const chain = chains.get(adapter.adapter_id)
          return (
            <li
              key={adapter.adapter_id}
              className="rounded-lg border border-lamp-line bg-lamp-wash px-4 pt-3 pb-3.5"
            >
              <p className="flex items-baseline justify-between gap-3">
                <span className="min-w-0 truncate font-serif text-lg font-[480]">{title}</span>
                <span className="text-sm font-[550] text-lamp-ink tabular-nums">
                  {adapter.gate.toFixed(2)}
                </span>
              </p>
              <p className="mb-2 text-xs text-lamp-ink">
                version {adapter.version}
                {adapter.similarity !== null &&
                  `, ${nearness(adapter.similarity)} to your question`}
              </p>
              <GateBar
                value={adapter.gate}
                label={`Weight of ${title}`}
                words={adapter.gate.toFixed(2)}
              />
              {chain && <Chain chain={chain} onFollow={onFollow} />}
            </li>
          )
        })}
      </ul>
    </Section>
  )
}

/** Pieces of feedback that are in sight at once; more wait behind a click. */
const SHOWN_AT_ONCE = 5

const nearness = (similarity: number) => `${Math.round(similarity * 100)} % similar`

function Chain({ chain, onFollow }: { chain: LineageAdapter; onFollow: () => void }) {
  return (
    <div className="mt-3 text-sm">
      {chain.passed !== null && chain.figures.length > 0 && (
        <details className="group/details">
          <summary className="text-soft hover:text-ink">
            {chain.passed ? "Passed its gate" : "Did not pass its gate"}
          </summary>
          <FigureList figures={chain.figures} className="mt-2 mb-3" />
        </details>
      )}
      {chain.feedback.length > 0 ? (
        <details open={chain.feedback.length <= SHOWN_AT_ONCE} className="mt-1">
          <summary className="text-soft hover:text-ink">
            Learned from {many(chain.feedback.length, "piece")} of feedback
          </summary>
          <ul className="mt-1 divide-y divide-lamp-line border-t border-lamp-line">
            {chain.feedback.map((item) => (
              <FeedbackItem key={item.feedback_id} item={item} onFollow={onFollow} />
            ))}
          </ul>
        </details>
      ) : (
        <p className="text-soft">Made elsewhere, and brought here.</p>
      )}
    </div>
  )
}

function Instructions({ routing, onFollow }: { routing: Routing; onFollow: () => void }) {
  if (routing.instructions.length === 0) return null
  return (
    <Section title="What the model was told">
      <ul className="flex flex-col gap-2.5">
        {routing.instructions.map(({ text, origin }) => {
          const place = originOf(origin)
          return (
            <li key={`${origin} ${text}`} className="border-l-2 border-lamp pl-3">
              <p className="font-serif text-base leading-snug break-words">{text}</p>
              <p className="text-xs text-faint">
                from{" "}
                {place.path ? (
                  <Link
                    href={place.path}
                    onClick={onFollow}
                    className="underline underline-offset-2 hover:text-ink"
                  >
                    {place.words}
                  </Link>
                ) : (
                  place.words
                )}
              </p>
            </li>
          )
        })}
      </ul>
    </Section>
  )
}

function Rules({ routing }: { routing: Routing }) {
  if (routing.rules.length === 0) return null
  const titles = new Map(routing.adapters.map((each) => [each.name, adapterTitle(each)]))
  const nameOf = (target: string) =>
    titles.get(target) ?? (target.includes(":") ? originOf(target).words : target)
  const byRule = Map.groupBy(routing.rules, ({ rule }) => rule)
  return (
    <Section
      title={`Rules that fired${routing.policy_version === null ? "" : `, policy version ${routing.policy_version}`}`}
    >
      <ul className="flex flex-col gap-2 text-sm">
        {[...byRule].map(([rule, fired]) => (
          <li key={rule} className="grid grid-cols-[8.5rem_1fr] gap-3">
            <span className="truncate font-mono text-xs leading-5 text-soft" title={rule}>
              {ruleNames[rule] ?? rule}
            </span>
            <ul>
              {[...new Set(fired.map((each) => capital(ruleWords(each, nameOf))))].map((words) => (
                <li key={words} className="break-words">
                  {words}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
    </Section>
  )
}

/** The same question once more, with what was learned or without: another version beside this one. */
function Again({
  message,
  routing,
  onDone,
}: {
  message: Message
  routing: Routing
  onDone: () => void
}) {
  const client = useClient()
  const { threadId } = useThreadContext()
  const learned = routing.without_learning
  const ask = () => {
    client.regenerate(threadId, message, { learned })
    onDone()
  }
  return (
    <div className="flex items-center justify-between gap-4">
      <p className="text-sm text-faint">To compare. Both answers stay.</p>
      <Button small look={learned ? "lamp" : "quiet"} onClick={ask}>
        {learned ? <Sparkle className="size-3.5" /> : <Undo2 className="size-3.5" />}
        {learned ? "Answer with what it learned" : "Answer without what you taught"}
      </Button>
    </div>
  )
}
