interface Props {
  /** 0 to 1; what is beyond is cut. */
  value: number
  /** What is measured. */
  label: string
  /** The value in words. */
  words: string
  className?: string
}

/** How much of something that was learned: a bar for the eye, a meter for screen readers. */
export function GateBar({ value, label, words, className = "" }: Props) {
  const shown = Math.min(1, Math.max(0, value))
  return (
    <span className={`block ${className}`}>
      <meter className="sr-only" aria-label={label} aria-valuetext={words} value={shown} />
      <span aria-hidden="true" className="block h-1 overflow-hidden rounded-full bg-lamp/25">
        <span className="block h-full rounded-full bg-lamp" style={{ width: `${shown * 100}%` }} />
      </span>
    </span>
  )
}
