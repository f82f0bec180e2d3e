import { describe, expect, it } from "vitest"
import type { LoggedEvent, Projection } from "@/api/types"
import { merged } from "./events"
import { ceilingOf, pointsOf, SPAN, withSample } from "./lag"

const projection = (lag: number): Projection => ({
  name: "messages",
  changed: false,
  description: "",
  live_version: 1,
  versions: [],
  lag_events: lag,
  lag_seconds: lag / 10,
  partitions: [],
  parked: 0,
})

describe("the plot of lag", () => {
  it("draws each look at its time, the newest at the right edge", () => {
    const samples = withSample(withSample([], 0, [projection(0)]), SPAN / 2, [projection(10)])
    expect(pointsOf(samples, "messages", "events", SPAN / 2, 20)).toBe(
      "0.5000,1.0000 1.0000,0.5000",
    )
  })

  it("forgets what is older than it shows", () => {
    const samples = withSample(withSample([], 0, [projection(1)]), SPAN + 1, [projection(2)])
    expect(samples.map(({ at }) => at)).toEqual([SPAN + 1])
  })

  it("ends its axis on a round number", () => {
    expect([0, 0.03, 1, 3, 7, 120, 5001].map(ceilingOf)).toEqual([1, 0.05, 1, 5, 10, 200, 10_000])
  })
})

const event = (position: string, time: string) => ({ position, time }) as LoggedEvent

describe("the tail of the log", () => {
  it("has every event once, newest first, whatever overlaps", () => {
    const older = [event("0:1", "2026-11-23T10:00:00Z"), event("1:1", "2026-11-23T10:00:01Z")]
    const newer = [event("1:1", "2026-11-23T10:00:01Z"), event("0:2", "2026-11-23T10:00:02Z")]
    expect(merged(older, newer).map(({ position }) => position)).toEqual(["0:2", "1:1", "0:1"])
  })
})
