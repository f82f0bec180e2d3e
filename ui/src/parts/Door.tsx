/** The mark: a doorway with light in it. */
export function Door({
  className,
  lit = true,
}: {
  className?: string
  lit?: boolean | "breathing"
}) {
  return (
    <svg viewBox="0 0 24 24" className={className} aria-hidden="true">
      <path d="M3.5 22V11.5a8.5 8.5 0 0 1 17 0V22z" className="fill-tide/20" />
      <path
        d="M8 22V13a4 4 0 0 1 8 0v9z"
        className={lit ? `fill-lamp ${lit === "breathing" ? "breathe" : ""}` : "fill-line-strong"}
      />
      <path
        d="M3.5 22V11.5a8.5 8.5 0 0 1 17 0V22"
        className="fill-none stroke-tide"
        strokeWidth="1.5"
        strokeLinecap="round"
      />
    </svg>
  )
}

export function Wordmark({ className = "" }: { className?: string }) {
  return (
    <span className={`flex items-center gap-2 ${className}`}>
      <Door className="size-[1.15em]" />
      <span className="font-serif text-[1.32em] leading-none font-[450] tracking-[-0.018em]">
        liminal
      </span>
    </span>
  )
}
