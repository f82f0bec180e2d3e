import { describe, expect, it } from "vitest"
import type { SkillMap } from "@/api/types"
import { COLOURS, lay } from "./layout"

const cluster = (id: string, size: number): SkillMap["clusters"][number] => ({
  id,
  label: id,
  label_source: "words",
  size,
  skill_id: null,
})
const point = (x: number, y: number, cluster_id: string | null): SkillMap["points"][number] => ({
  id: null,
  x,
  y,
  kind: "correction",
  sign: 1,
  cluster_id,
})

describe("a map of feedback", () => {
  it("fits its sheet, up being more", () => {
    const { points } = lay({ points: [point(-3, 10, null), point(5, 20, null)], clusters: [] })
    const [low, high] = points
    expect(low && high && low.x < high.x && low.y > high.y).toBe(true)
    for (const { x, y } of points) expect(Math.min(x, y, 1 - x, 1 - y)).toBeGreaterThan(0)
  })
  it("stands a single point and points in a row, too", () => {
    const { points } = lay({ points: [point(1, 1, null)], clusters: [] })
    expect(points[0] && Number.isFinite(points[0].x + points[0].y)).toBe(true)
    expect(lay({ points: [], clusters: [cluster("a", 3)] }).labels).toEqual([])
  })
  it("gives the largest groups colours of their own", () => {
    const clusters = Array.from({ length: COLOURS + 1 }, (_, index) => cluster(`${index}`, index))
    const { colours } = lay({ points: [point(0, 0, "0")], clusters })
    expect(colours.get(`${COLOURS}`)).toBe(0)
    expect(new Set(colours.values()).size).toBe(COLOURS)
  })
  it("moves labels apart that would lie on one another", () => {
    const points = ["a", "b", "c"].map((id) => point(0.5, 0.5, id))
    points.push(point(0, 0, null), point(1, 1, null))
    const { labels } = lay({ points, clusters: ["a", "b", "c"].map((id) => cluster(id, 3)) })
    const rows = labels.map(({ y }) => y).sort()
    for (const [index, y] of rows.slice(1).entries())
      expect(y - (rows[index] ?? 0)).toBeGreaterThanOrEqual(0.07)
  })
})
