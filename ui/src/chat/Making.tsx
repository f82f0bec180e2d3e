import { Info } from "lucide-react"
import { type ReactNode, useId, useRef } from "react"
import type { Trace } from "@/api/types"
import { count, fullTime } from "@/parts/time"
import type { Message } from "@/store/tree"

const GAP = 8

/** How an answer came to be: the model, what was learned and how much of it, and the seed to do it again. */
export function Making({ message, trace }: { message: Message; trace: Trace }) {
  const adapters = trace.adapters ?? []
  const id = useId()
  const button = useRef<HTMLButtonElement>(null)
  const card = useRef<HTMLDivElement>(null)
  const place = () => {
    if (!button.current || !card.current) return
    const anchor = button.current.getBoundingClientRect()
    const { offsetWidth, offsetHeight } = card.current
    const left = Math.min(anchor.left - 12, innerWidth - offsetWidth - GAP)
    const above = anchor.top - offsetHeight - GAP
    card.current.style.left = `${Math.max(GAP, left)}px`
    card.current.style.top = `${above > GAP ? above : anchor.bottom + GAP}px`
  }
  return (
    <>
      <button
        ref={button}
        type="button"
        popoverTarget={id}
        aria-label="How this answer was made"
        title="How this answer was made"
        className="inline-grid size-8 place-items-center rounded-md text-faint transition-colors hover:bg-hover hover:text-ink touch:size-9 [&_svg]:size-4"
      >
        <Info />
      </button>
      <div
        ref={card}
        id={id}
        popover="auto"
        onToggle={(event) => event.newState === "open" && place()}
        className="fixed w-84 max-w-[calc(100vw-1rem)] rounded-lg border border-line bg-raised p-4 text-sm shadow-2"
      >
        <p className="mb-3 font-serif text-lg font-[480]">How this answer was made</p>
        {adapters.length > 0 && <Adapters adapters={adapters} />}
        <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5">
          <Row name="Model">{trace.model}</Row>
          {adapters.length === 0 && <Row name="Learned">nothing; the base model alone</Row>}
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
          <Row name="Time">{fullTime(message.createdAt)}</Row>
        </dl>
      </div>
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

function Adapters({ adapters }: { adapters: NonNullable<Trace["adapters"]> }) {
  return (
    <ul className="mb-4 flex flex-col gap-2.5 rounded-md bg-lamp-wash p-3 text-lamp-ink">
      {adapters.map(({ name, version, gate }) => (
        <li key={name}>
          <p className="flex justify-between gap-2 text-xs font-[550]">
            <span className="truncate">
              {name} <span className="font-normal">version {version}</span>
            </span>
            <span className="tabular-nums">{gate.toFixed(2)}</span>
          </p>
          <div className="mt-1 h-1 overflow-hidden rounded-full bg-lamp/25">
            <div
              className="h-full rounded-full bg-lamp"
              style={{ width: `${Math.min(1, gate) * 100}%` }}
            />
          </div>
        </li>
      ))}
    </ul>
  )
}
