import { useMemo } from "react"
import { count } from "@/parts/time"
import { ceilingOf, type Measure, pointsOf, type Sample, SPAN, SPARK_SPAN } from "./lag"

function shown(value: number, measure: Measure): string {
  if (measure === "events") return count(Math.round(value))
  if (value < 1) return `${Math.round(1000 * value)} ms`
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`
}

interface Props {
  samples: readonly Sample[]
  names: readonly string[]
  measure: Measure
  /** The one line that is drawn strongly, if any. */
  chosen: string | null
}

/** Lag of every projection over the last minutes. */
export function LagPlot({ samples, names, measure, chosen }: Props) {
  const now = samples.at(-1)?.at ?? 0
  const highest = useMemo(
    () =>
      Math.max(0, ...samples.flatMap(({ lags }) => Object.values(lags).map((lag) => lag[measure]))),
    [samples, measure],
  )
  const top = ceilingOf(Math.max(highest, measure === "events" ? 10 : 0.1))
  return (
    <figure className="relative h-40 pl-12" aria-label={`Lag in ${measure}`}>
      <div className="absolute inset-y-0 left-0 flex w-10 flex-col justify-between text-right text-2xs text-faint tabular-nums">
        <span>{shown(top, measure)}</span>
        <span>{shown(top / 2, measure)}</span>
        <span>0</span>
      </div>
      <svg
        viewBox="0 0 1 1"
        preserveAspectRatio="none"
        className="size-full overflow-visible"
        aria-hidden="true"
      >
        {[0, 0.5, 1].map((y) => (
          <line
            key={y}
            x1="0"
            x2="1"
            y1={y}
            y2={y}
            className="stroke-line"
            vectorEffect="non-scaling-stroke"
          />
        ))}
        {names.map((name) => (
          <polyline
            key={name}
            points={pointsOf(samples, name, measure, now, top)}
            className={`fill-none ${chosen === name ? "stroke-tide" : chosen === null ? "stroke-tide/55" : "stroke-tide/18"}`}
            strokeWidth={chosen === name ? 2.2 : 1.4}
            strokeLinejoin="round"
            vectorEffect="non-scaling-stroke"
          />
        ))}
      </svg>
      <figcaption className="mt-1.5 flex justify-between text-2xs text-faint">
        <span>{SPAN / 60_000} minutes ago</span>
        <span>now</span>
      </figcaption>
    </figure>
  )
}

/** One projection's lag, as small as a word. */
export function Spark({
  samples,
  name,
  measure,
}: {
  samples: readonly Sample[]
  name: string
  measure: Measure
}) {
  const now = samples.at(-1)?.at ?? 0
  const top = ceilingOf(
    Math.max(
      measure === "events" ? 10 : 0.1,
      ...samples.map(({ lags }) => lags[name]?.[measure] ?? 0),
    ),
  )
  return (
    <svg viewBox="0 0 1 1" preserveAspectRatio="none" className="h-6 w-24" aria-hidden="true">
      <polyline
        points={pointsOf(samples, name, measure, now, top, SPARK_SPAN)}
        className="fill-none stroke-tide"
        strokeWidth="1.4"
        strokeLinejoin="round"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  )
}

export { shown as shownLag }
