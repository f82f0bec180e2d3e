import { useQuery } from "@tanstack/react-query"
import { Pause, Play, X } from "lucide-react"
import { useDeferredValue, useEffect, useMemo, useState } from "react"
import { type LogFilter, log } from "@/api/calls"
import type { LoggedEvent } from "@/api/types"
import { Button } from "@/parts/Button"
import { Bars, Empty, Failed } from "@/parts/States"
import { clockTime, count } from "@/parts/time"
import { navigate, useQueryString } from "@/router"
import { TopBar } from "@/shell/TopBar"
import { EventDetail } from "./EventDetail"
import { useEvents } from "./events"

const spans: Record<string, number> = { "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000 }
const spanNames = [
  ["", "All time"],
  ["5m", "Last 5 minutes"],
  ["1h", "Last hour"],
  ["1d", "Last day"],
] as const

/** Filters live in the address, so that a view of the log can be sent to someone. */
function useAddress() {
  const text = useQueryString()
  const values = useMemo(() => new URLSearchParams(text), [text])
  const set = (changes: Record<string, string | null>) => {
    const next = new URLSearchParams(text)
    for (const [key, value] of Object.entries(changes))
      if (value) next.set(key, value)
      else next.delete(key)
    navigate(`/admin/log${next.size > 0 ? `?${next}` : ""}`, "replace")
  }
  return { values, set }
}

export default function Log() {
  const { values, set } = useAddress()
  const get = (key: string) => values.get(key) ?? ""
  const [type, owner, stream, span, at] = ["type", "owner", "stream", "span", "at"].map(get) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const wanted = useMemo<LogFilter>(() => {
    const length = spans[span]
    const since = length ? new Date(Date.now() - length).toISOString() : ""
    return { type, owner, stream, since }
  }, [type, owner, stream, span])
  const filter = useDeferredValue(wanted)
  const [following, setFollowing] = useState(true)
  const { pages, events } = useEvents(filter, following)
  useEffect(() => {
    document.title = "Log · liminal"
  }, [])

  const filtered = type || owner || stream || span
  return (
    <div className="flex h-full flex-col">
      <TopBar title="Log">
        <Button small look="plain" onClick={() => setFollowing(!following)}>
          {following ? <Pause className="size-3.5" /> : <Play className="size-3.5" />}
          {following ? "Following" : "Follow"}
        </Button>
      </TopBar>
      <div className="flex flex-wrap items-center gap-2 border-b border-line px-4 pb-3 sm:px-6">
        <TypeFilter value={type} onChange={(value) => set({ type: value })} />
        <TextFilter label="Stream" value={stream} onChange={(value) => set({ stream: value })} />
        <TextFilter label="Owner" value={owner} onChange={(value) => set({ owner: value })} />
        <select
          aria-label="Since"
          value={span}
          onChange={(event) => set({ span: event.target.value })}
          className={control}
        >
          {spanNames.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
        {filtered && (
          <Button
            small
            look="plain"
            onClick={() => set({ type: null, owner: null, stream: null, span: null })}
          >
            <X className="size-3.5" /> Clear
          </Button>
        )}
      </div>
      <div className="flex min-h-0 flex-1">
        <div className="min-w-0 flex-1 overflow-y-auto">
          {pages.isPending && <Bars rows={10} className="p-6" />}
          {pages.isError && (
            <Failed
              what="The log can't be read"
              error={pages.error}
              onRetry={() => pages.refetch()}
            />
          )}
          {pages.isSuccess && events.length === 0 && (
            <Empty title="Nothing of that kind happened" />
          )}
          <Rows events={events} chosen={at} onChoose={(position) => set({ at: position })} />
          {pages.hasNextPage && (
            <div className="p-4 text-center">
              <Button small busy={pages.isFetchingNextPage} onClick={() => pages.fetchNextPage()}>
                Earlier
              </Button>
            </div>
          )}
        </div>
        {at && (
          <EventDetail
            key={at}
            position={at}
            onFilter={(changes) => set(changes)}
            onClose={() => set({ at: null })}
          />
        )}
      </div>
    </div>
  )
}

const control =
  "h-9 rounded-md border border-line-strong bg-raised px-2.5 text-sm placeholder:text-faint hover:border-faint"

function TypeFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const stats = useQuery({ queryKey: ["log-stats"], queryFn: log.stats })
  const counts = new Map<string, number>()
  for (const { type, count: each } of stats.data?.counts ?? [])
    counts.set(type, (counts.get(type) ?? 0) + each)
  const types = [...new Set([...counts.keys(), ...(value ? [value] : [])])].sort()
  return (
    <select
      aria-label="Type"
      value={value}
      onChange={(event) => onChange(event.target.value)}
      className={control}
    >
      <option value="">All types{stats.data ? ` (${count(stats.data.total)})` : ""}</option>
      {types.map((type) => (
        <option key={type} value={type}>
          {type} ({count(counts.get(type) ?? 0)})
        </option>
      ))}
    </select>
  )
}

interface TextFilterProps {
  label: string
  value: string
  onChange: (value: string) => void
}

function TextFilter({ label, value, onChange }: TextFilterProps) {
  return (
    <input
      aria-label={label}
      placeholder={label}
      value={value}
      onChange={(event) => onChange(event.target.value.trim())}
      className={`${control} w-44 min-w-0 flex-1 font-mono text-xs sm:flex-none`}
    />
  )
}

/** What was taught or learned has the lamp's colour, here too. */
const learned = /^(?:feedback|preference|cluster|skill|adapter)\./

interface RowsProps {
  events: readonly LoggedEvent[]
  chosen: string
  onChoose: (position: string) => void
}

function Rows({ events, chosen, onChoose }: RowsProps) {
  return (
    <ol className="py-1">
      {events.map((each) => (
        <li key={each.position}>
          <button
            type="button"
            aria-pressed={each.position === chosen}
            onClick={() => onChoose(each.position)}
            className="grid w-full grid-cols-[auto_1fr] items-baseline gap-x-4 px-4 py-1.5 text-left font-mono text-xs hover:bg-hover aria-pressed:bg-tide-wash sm:grid-cols-[6.5rem_14rem_1fr_auto] sm:px-6"
          >
            <time dateTime={each.time} className="text-faint">
              {clockTime(each.time)}
            </time>
            <span
              className={`truncate font-medium ${learned.test(each.type) ? "text-lamp-ink" : "text-tide"}`}
            >
              {each.type}
            </span>
            <span className="col-start-2 truncate text-soft sm:col-start-3">{each.stream}</span>
            <span className="hidden text-faint sm:block">{each.position}</span>
          </button>
        </li>
      ))}
    </ol>
  )
}
