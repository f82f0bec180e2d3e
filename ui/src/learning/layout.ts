/** Where points and labels of a map stand on a sheet of one by one. Pure. */
import type { SkillMap } from "@/api/types"

export interface Placed {
  key: string
  x: number
  y: number
  kind: string
  sign: -1 | 0 | 1
  clusterId: string | null
}

export interface PlacedLabel {
  id: string
  label: string
  size: number
  x: number
  y: number
  colour: number
}

/** Colours for clusters; the theme has as many. */
export const COLOURS = 8
const MARGIN = 0.07
/** Labels nearer than this to one another are moved apart. */
const APART = 0.075
const LIFTED = 0.045

export interface Laid {
  points: Placed[]
  labels: PlacedLabel[]
  /** cluster → its colour, by size: the largest have colours of their own. */
  colours: ReadonlyMap<string, number>
}

const middle = (values: readonly number[]) => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0.5
}

const ordered = (clusters: SkillMap["clusters"]) => [...clusters].sort((a, b) => b.size - a.size)

/** The largest groups have colours of their own. */
export const coloursOf = (clusters: SkillMap["clusters"]): ReadonlyMap<string, number> =>
  new Map(ordered(clusters).map(({ id }, index) => [id, index % COLOURS]))

export function lay({ points, clusters }: SkillMap): Laid {
  const span = (values: number[]): [number, number] => {
    const low = Math.min(...values)
    const high = Math.max(...values)
    return [low, high - low || 1]
  }
  const [left, width] = span(points.map(({ x }) => x))
  const [low, height] = span(points.map(({ y }) => y))
  const inset = (value: number) => MARGIN + value * (1 - 2 * MARGIN)
  const placed = points.map(({ id, x, y, kind, sign, cluster_id }, index): Placed => ({
    key: id ?? `point ${index}`,
    x: inset((x - left) / width),
    // up is more, as on every map
    y: inset(1 - (y - low) / height),
    kind,
    sign,
    clusterId: cluster_id,
  }))
  const bySize = ordered(clusters)
  const colours = coloursOf(clusters)
  const labels = bySize.flatMap(({ id, label, size }): PlacedLabel[] => {
    const own = placed.filter(({ clusterId }) => clusterId === id)
    if (own.length === 0) return []
    const x = middle(own.map((each) => each.x))
    // above the middle, so that it hides as few points as may be
    const y = middle(own.map((each) => each.y)) - LIFTED
    return [{ id, label, size, x, y, colour: colours.get(id) ?? 0 }]
  })
  return { points: placed, labels: apart(labels), colours }
}

/** Moves labels that would lie on one another up and down until each can be read. */
function apart(labels: readonly PlacedLabel[]): PlacedLabel[] {
  const settled: PlacedLabel[] = []
  for (const label of labels) {
    let { y } = label
    for (let step = 1; step < 12 && settled.some((each) => touches(each, label.x, y)); step++)
      y = label.y + (step % 2 ? 1 : -1) * Math.ceil(step / 2) * APART
    settled.push({ ...label, y: Math.min(1, Math.max(0.02, y)) })
  }
  return settled
}

const touches = (each: PlacedLabel, x: number, y: number) =>
  Math.abs(each.y - y) < APART && Math.abs(each.x - x) < 0.3
