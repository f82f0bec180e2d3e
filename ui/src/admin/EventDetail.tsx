import { useQuery } from "@tanstack/react-query"
import { Eye, Filter, X } from "lucide-react"
import { type ReactNode, useState } from "react"
import { log } from "@/api/calls"
import type { LoggedEvent } from "@/api/types"
import { Button, IconButton } from "@/parts/Button"
import { CopyButton } from "@/parts/Small"
import { Bars, Failed } from "@/parts/States"
import { useConfirmed } from "@/parts/useConfirmed"
import { fullTime } from "@/parts/time"
import { useAccount } from "@/session"
import { Json } from "./Json"

type Change = Record<string, string | null>

interface Props {
  position: string
  onFilter: (change: Change) => void
  onClose: () => void
}

/** One event in full. */
export function EventDetail({ position, onFilter, onClose }: Props) {
  const account = useAccount()
  const { run, prompt } = useConfirmed(account.second_factor)
  const [clear, setClear] = useState(false)
  const event = useQuery({
    queryKey: ["log-event", position, clear],
    queryFn: () => run(() => log.event(position, clear)),
    retry: false,
    placeholderData: (before) => before,
  })
  return (
    <aside
      aria-label="Event"
      className="settle fixed inset-0 z-10 flex flex-col border-l border-line bg-sheet lg:static lg:w-[30rem] lg:shrink-0"
    >
      <header className="flex h-12 shrink-0 items-center gap-1 border-b border-line pr-2 pl-5">
        <h2 className="min-w-0 flex-1 truncate font-mono text-sm font-medium">
          {event.data?.type ?? position}
        </h2>
        {event.data && (
          <CopyButton text={() => JSON.stringify(event.data, null, 2)} label="Copy the event" />
        )}
        <IconButton label="Close" onClick={onClose}>
          <X />
        </IconButton>
      </header>
      <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4">
        {event.isPending && <Bars rows={8} />}
        {event.isError && (
          <Failed
            what="The event can't be shown"
            error={event.error}
            onRetry={() => setClear(false)}
          />
        )}
        {event.data && <Envelope event={event.data} onFilter={onFilter} />}
        {event.data && (
          <section className="mt-5 border-t border-line pt-4">
            <div className="mb-3 flex items-center justify-between">
              <h3 className="text-sm font-semibold text-faint">Data</h3>
              {!clear && JSON.stringify(event.data.data).includes('"enc:') && (
                <Button small look="plain" busy={event.isFetching} onClick={() => setClear(true)}>
                  <Eye className="size-3.5" /> Decrypt
                </Button>
              )}
            </div>
            <Json value={event.data.data} />
          </section>
        )}
      </div>
      {prompt}
    </aside>
  )
}

function Envelope({ event, onFilter }: { event: LoggedEvent; onFilter: Props["onFilter"] }) {
  const rows: [string, string | number | null, Change?][] = [
    ["Position", event.position],
    ["Time", fullTime(event.time)],
    ["Id", event.id],
    ["Type", `${event.type}, version ${event.version}`, { type: event.type }],
    ["Stream", event.stream, { stream: event.stream }],
    ["Owner", event.owner, { owner: event.owner }],
    ["Tenant", event.tenant],
    ["Actor", event.actor],
    ["Caused by", event.causation],
    ["Correlation", event.correlation],
    ["Expected version", event.expected_version],
  ]
  return (
    <dl className="grid grid-cols-[6.5rem_1fr] gap-x-3 gap-y-1 text-xs">
      {rows
        .filter(([, value]) => value !== null)
        .map(([name, value, change]) => (
          <Line key={name} name={name} onFilter={change && (() => onFilter(change))}>
            {value}
          </Line>
        ))}
    </dl>
  )
}

function Line({
  name,
  children,
  onFilter,
}: {
  name: string
  children: ReactNode
  onFilter?: () => void
}) {
  return (
    <>
      <dt className="py-0.5 text-faint">{name}</dt>
      <dd className="group/line flex min-w-0 items-start gap-1 py-0.5 font-mono break-all">
        {children}
        {onFilter && (
          <IconButton
            label={`Only this ${name.toLowerCase()}`}
            size="small"
            className="-my-1"
            onClick={onFilter}
          >
            <Filter />
          </IconButton>
        )}
      </dd>
    </>
  )
}
