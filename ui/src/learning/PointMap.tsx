import { useMemo } from "react"
import type { SkillMap } from "@/api/types"
import { lay, type Placed } from "./layout"

interface Props {
  map: SkillMap
  /** The cluster that is pointed at; the others step back. */
  chosen: string | null
  onChoose?: (clusterId: string | null) => void
  label: string
  className?: string
}

/** Feedback as points: alike lies near alike, a colour is a group, a hollow point was a dislike. */
export function PointMap({ map, chosen, onChoose, label, className = "" }: Props) {
  const { points, labels, colours } = useMemo(() => lay(map), [map])
  const far = (clusterId: string | null) => chosen !== null && clusterId !== chosen
  return (
    <figure className={className}>
      <div
        role="img"
        aria-label={`${label}: ${map.points.length} points in ${map.clusters.length} groups`}
        className="relative aspect-square w-full overflow-hidden rounded-lg border border-line bg-raised sm:aspect-[16/10]"
      >
        {points.map((point) => (
          <Point
            key={point.key}
            point={point}
            colour={point.clusterId === null ? null : (colours.get(point.clusterId) ?? null)}
            far={far(point.clusterId)}
            onChoose={onChoose}
          />
        ))}
        {labels.map(({ id, label: words, x, y }) => (
          <span
            key={id}
            aria-hidden="true"
            style={{
              left: `${x * 100}%`,
              top: `${y * 100}%`,
              // the nearer an edge, the more of the label lies on the other side
              translate: `${-x * 100}% -50%`,
            }}
            className={`pointer-events-none absolute max-w-[44%] truncate rounded-sm bg-raised/80 px-1.5 font-serif text-sm leading-5 font-[500] transition-opacity ${far(id) ? "opacity-70" : ""}`}
          >
            {words}
          </span>
        ))}
      </div>
      <figcaption className="mt-2 flex flex-wrap gap-x-5 gap-y-1 text-xs text-faint">
        <Key look="bg-soft">liked, corrected, wished</Key>
        <Key look="border-2 border-soft">disliked</Key>
        <Key look="bg-soft/40">a note</Key>
        <Key look="scale-60 bg-line-strong">in no group</Key>
      </figcaption>
    </figure>
  )
}

function Key({ look, children }: { look: string; children: string }) {
  return (
    <span className="flex items-center gap-1.5">
      <span aria-hidden="true" className={`size-2.5 rounded-full ${look}`} />
      {children}
    </span>
  )
}

/** The colour of a group, beside its name. */
export function Swatch({ colour }: { colour: number }) {
  return (
    <span
      aria-hidden="true"
      style={{ background: `var(--group-${colour + 1})` }}
      className="size-2.5 shrink-0 rounded-full"
    />
  )
}

/** Percentages on a box need no scaling of strokes and texts with it, as an SVG's own units would. */
function Point({
  point,
  colour,
  far,
  onChoose,
}: {
  point: Placed
  colour: number | null
  far: boolean
  onChoose: Props["onChoose"]
}) {
  const ink = colour === null ? "var(--line-strong)" : `var(--group-${colour + 1})`
  const fills: Record<Placed["sign"], object> = {
    1: { background: ink },
    0: { background: `color-mix(in oklch, ${ink} 40%, transparent)` },
    [-1]: { boxShadow: `inset 0 0 0 2px ${ink}` },
  }
  return (
    <span
      aria-hidden="true"
      onPointerEnter={() => onChoose?.(point.clusterId)}
      onPointerLeave={() => onChoose?.(null)}
      style={{ left: `${point.x * 100}%`, top: `${point.y * 100}%`, ...fills[point.sign] }}
      className={`absolute -translate-1/2 rounded-full ${colour === null ? "size-1.5" : "size-2.5"} transition-opacity ${far ? "opacity-20" : "opacity-90"}`}
    />
  )
}
