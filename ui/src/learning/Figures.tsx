/** A gate's figures: what was measured, against what, and how sure one can be. */
import { Check, X } from "lucide-react"
import type { GateFigure } from "@/api/types"
import { figureNames, figureTitle, figureValue, gainOf, percent } from "./words"

/** The figures in lines, as small as they go. */
export function FigureList({
  figures,
  className = "",
}: {
  figures: readonly GateFigure[]
  className?: string
}) {
  return (
    <ul className={`flex flex-col gap-1 ${className}`}>
      {figures.map((figure) => (
        <li key={figure.name} className="flex items-center gap-2 text-sm">
          <Passed figure={figure} />
          <span className="flex-1">{figureTitle(figure.name)}</span>
          <span className="text-soft tabular-nums">
            {figureValue(figure, figure.baseline)} → {figureValue(figure, figure.candidate)}
          </span>
        </li>
      ))}
    </ul>
  )
}

function Passed({ figure }: { figure: GateFigure }) {
  return figure.passed ? (
    <Check className="size-3.5 shrink-0 text-moss" aria-label="passed" role="img" />
  ) : (
    <X className="size-3.5 shrink-0 text-rose" aria-label="not passed" role="img" />
  )
}

/** The figures with what they mean and their intervals, side by side. */
export function Figures({ figures }: { figures: readonly GateFigure[] }) {
  return (
    <ul className="grid gap-3 sm:grid-cols-3">
      {figures.map((figure) => (
        <Figure key={figure.name} figure={figure} />
      ))}
    </ul>
  )
}

function Figure({ figure }: { figure: GateFigure }) {
  const gain = gainOf(figure)
  return (
    <li className="rounded-lg border border-line bg-raised px-4 pt-3 pb-3.5">
      <p className="flex items-center gap-1.5 text-sm font-[550]">
        <Passed figure={figure} />
        {figureTitle(figure.name)}
      </p>
      <p className="mt-1.5 flex items-baseline gap-2 tabular-nums">
        <span className="text-xl font-[450]">{figureValue(figure, figure.candidate)}</span>
        <span className="text-sm text-faint">
          before {figureValue(figure, figure.baseline)}
          {gain !== null && figure.name !== "regressions" && `, ${percent(gain)}`}
        </span>
      </p>
      {figure.low !== null && figure.high !== null && (
        <Interval low={figure.low} high={figure.high} gain={figure.baseline - figure.candidate} />
      )}
      <p className="mt-2 text-xs leading-snug text-faint">{figureNames[figure.name]?.about}</p>
    </li>
  )
}

const MARGIN = 0.12

/** The interval that the true gain lies in; it must not touch nothing. */
function Interval({ low, high, gain }: { low: number; high: number; gain: number }) {
  const from = Math.min(0, low)
  const to = Math.max(0, high)
  const span = (to - from || 1) * (1 + 2 * MARGIN)
  const place = (value: number) => 100 * ((value - from) / span + MARGIN / (1 + 2 * MARGIN))
  const sure = low > 0
  const ink = sure ? "stroke-moss" : "stroke-rose"
  return (
    <figure className="mt-2.5" aria-label={`Gain between ${low.toFixed(3)} and ${high.toFixed(3)}`}>
      <svg
        viewBox="0 0 100 12"
        preserveAspectRatio="none"
        className="h-3 w-full"
        aria-hidden="true"
      >
        <line
          x1={place(0)}
          x2={place(0)}
          y1="0"
          y2="12"
          className="stroke-line-strong"
          strokeDasharray="2 2"
          vectorEffect="non-scaling-stroke"
        />
        <line
          x1={place(low)}
          x2={place(high)}
          y1="6"
          y2="6"
          className={ink}
          strokeWidth="2"
          vectorEffect="non-scaling-stroke"
        />
        {[low, high].map((end) => (
          <line
            key={end}
            x1={place(end)}
            x2={place(end)}
            y1="3"
            y2="9"
            className={ink}
            strokeWidth="2"
            vectorEffect="non-scaling-stroke"
          />
        ))}
        <line
          x1={place(gain)}
          x2={place(gain)}
          y1="1.5"
          y2="10.5"
          className={ink}
          strokeWidth="4"
          vectorEffect="non-scaling-stroke"
        />
      </svg>
      <figcaption className="text-2xs text-faint tabular-nums">
        gain {gain.toFixed(3)}, interval {low.toFixed(3)} to {high.toFixed(3)}
      </figcaption>
    </figure>
  )
}
