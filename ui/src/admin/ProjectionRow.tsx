import { ChevronDown } from "lucide-react"
import { useId, useState } from "react"
import type { Projection, ProjectionVersion } from "@/api/types"
import { Chip, type ChipLook } from "@/parts/Small"
import { count } from "@/parts/time"
import { Spark, shownLag } from "./LagPlot"
import type { Measure, Sample } from "./lag"
import { Operations } from "./Operations"
import { Parked } from "./Parked"

interface Props {
  projection: Projection
  samples: readonly Sample[]
  measure: Measure
  onPoint: (name: string | null) => void
}

export function ProjectionRow({ projection, samples, measure, onPoint }: Props) {
  const [open, setOpen] = useState(false)
  const id = useId()
  const { name, description, live_version, parked } = projection
  const building = projection.versions.find(({ state }) => state === "building")
  return (
    <li
      className="border-t border-line"
      onPointerEnter={() => onPoint(name)}
      onPointerLeave={() => onPoint(null)}
    >
      <button
        type="button"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
        className="flex w-full flex-wrap items-center gap-x-5 gap-y-1 py-3.5 text-left"
      >
        <span className="min-w-44 flex-1">
          <span className="flex items-center gap-2">
            <span className="font-mono text-sm font-medium">{name}</span>
            {live_version !== null && <Chip>version {live_version}</Chip>}
            {projection.changed && (
              <Chip look="tide" title="Its folds on disk are newer than its rows">
                needs a rebuild
              </Chip>
            )}
            {parked > 0 && <Chip look="rose">{parked} parked</Chip>}
            {building && (
              <Chip look="tide">building {Math.round((building.progress ?? 0) * 100)}%</Chip>
            )}
          </span>
          <span className="mt-0.5 block truncate text-sm text-faint">{description}</span>
        </span>
        <span className="hidden sm:block">
          <Spark samples={samples} name={name} measure={measure} />
        </span>
        <span className="w-20 text-right text-sm text-soft tabular-nums">
          {shownLag(measure === "events" ? projection.lag_events : projection.lag_seconds, measure)}
        </span>
        <ChevronDown
          className={`size-4 text-faint transition-transform ${open ? "rotate-180" : ""}`}
        />
      </button>
      {open && (
        <div id={id} className="settle grid gap-x-10 gap-y-6 pt-1 pb-7 md:grid-cols-2">
          <div className="md:col-span-2">
            <Operations projection={projection} />
          </div>
          <Versions versions={projection.versions} />
          <Partitions projection={projection} />
          {parked > 0 && (
            <div className="md:col-span-2">
              <Parked name={name} />
            </div>
          )}
        </div>
      )}
    </li>
  )
}

const looks: Record<ProjectionVersion["state"], ChipLook> = {
  live: "moss",
  building: "tide",
  ready: "tide",
  retired: "plain",
}

function Versions({ versions }: { versions: readonly ProjectionVersion[] }) {
  return (
    <section>
      <h3 className="mb-1 text-sm font-semibold text-faint">Versions</h3>
      <ul>
        {versions.map(({ schema, state, events }) => (
          <li key={schema} className="flex items-center gap-3 py-1.5 text-sm">
            <Chip look={looks[state]}>{state}</Chip>
            <span className="font-mono text-xs">{schema}</span>
            <span className="ml-auto text-faint tabular-nums">{count(events)} events</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Partitions({ projection }: { projection: Projection }) {
  return (
    <section>
      <h3 className="mb-1 text-sm font-semibold text-faint">Partitions</h3>
      <table className="w-full text-sm tabular-nums">
        <thead className="sr-only">
          <tr>
            <th>Partition</th>
            <th>Position</th>
            <th>Lag</th>
          </tr>
        </thead>
        <tbody>
          {projection.partitions.map(({ partition, offset, end_offset, lag_events }) => (
            <tr key={partition}>
              <td className="w-8 py-1.5 text-faint">{partition}</td>
              <td className="py-1.5">
                <div className="h-1 overflow-hidden rounded-full bg-sunken">
                  <div
                    className="h-full rounded-full bg-tide transition-[width] duration-500"
                    style={{ width: `${end_offset > 0 ? (offset / end_offset) * 100 : 100}%` }}
                  />
                </div>
              </td>
              <td className="w-36 py-1.5 text-right text-faint">
                {count(offset)}
                {lag_events > 0 && <span className="text-soft"> +{count(lag_events)}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
