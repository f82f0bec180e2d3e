/** Lag over time: what the server told at each look, for as long as the page is open. */
import { useEffect, useState } from "react"
import type { Projection } from "@/api/types"

export type Measure = "seconds" | "events"

export interface Sample {
  at: number
  lags: Readonly<Record<string, Record<Measure, number>>>
}

/** How far back the plot reaches. */
export const SPAN = 180_000
/** How far back the small plot of one projection reaches. */
export const SPARK_SPAN = 60_000

export function withSample(
  samples: readonly Sample[],
  at: number,
  items: readonly Projection[],
): Sample[] {
  const lags = Object.fromEntries(
    items.map(({ name, lag_events, lag_seconds }) => [
      name,
      { events: lag_events, seconds: lag_seconds },
    ]),
  )
  return [...samples.filter((each) => each.at > at - SPAN), { at, lags }]
}

export function useLagHistory(
  items: readonly Projection[] | undefined,
  at: number,
): readonly Sample[] {
  const [samples, setSamples] = useState<readonly Sample[]>([])
  useEffect(() => {
    if (items && at > 0) setSamples((before) => withSample(before, at, items))
  }, [items, at])
  return samples
}

/** A round number at or above `value`, for the top of an axis. */
export function ceilingOf(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 5, 10].find((each) => each * power >= value) ?? 10
  return step * power
}

/** The points of one line, in a box of 1 by 1 with its origin at the top left. */
export function pointsOf(
  samples: readonly Sample[],
  name: string,
  measure: Measure,
  now: number,
  top: number,
  span = SPAN,
): string {
  return samples
    .flatMap(({ at, lags }) => {
      const value = lags[name]?.[measure]
      if (value === undefined || at < now - span) return []
      const x = 1 - (now - at) / span
      return [`${x.toFixed(4)},${(1 - Math.min(1, value / top)).toFixed(4)}`]
    })
    .join(" ")
}
