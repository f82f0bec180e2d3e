/** A doorway with light in it, far behind the empty page. */
const arches = [1, 0.74, 0.53, 0.36, 0.23]

function arch(scale: number): string {
  const half = 300 * scale
  const foot = 520 + 330 * scale
  const spring = 520 - 120 * scale
  return `M${320 - half} ${foot}V${spring}a${half} ${half} 0 0 1 ${half * 2} 0V${foot}`
}

export function Lamplight() {
  return (
    <svg
      viewBox="0 0 640 850"
      preserveAspectRatio="xMidYMax meet"
      aria-hidden="true"
      className="pointer-events-none absolute right-[-9rem] bottom-0 hidden h-[min(94%,50rem)] @min-[64rem]/home:block"
    >
      <defs>
        <radialGradient id="home-glow">
          <stop offset="0" stopColor="var(--lamp)" stopOpacity="0.5" />
          <stop offset="0.4" stopColor="var(--lamp)" stopOpacity="0.13" />
          <stop offset="1" stopColor="var(--lamp)" stopOpacity="0" />
        </radialGradient>
        <linearGradient id="home-floor" x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor="var(--lamp)" stopOpacity="0.4" />
          <stop offset="0.3" stopColor="var(--lamp)" stopOpacity="0.2" />
          <stop offset="1" stopColor="var(--lamp)" stopOpacity="0" />
        </linearGradient>
        <linearGradient id="home-lamp" x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor="var(--lamp)" />
          <stop offset="1" stopColor="color-mix(in oklch, var(--lamp) 62%, white)" />
        </linearGradient>
        <filter id="home-soft">
          <feGaussianBlur stdDeviation="9" />
        </filter>
      </defs>
      <ellipse
        className="breathe-slow"
        cx="320"
        cy="520"
        rx="290"
        ry="310"
        fill="url(#home-glow)"
      />
      {arches.map((scale, index) => (
        <path
          key={scale}
          d={arch(scale)}
          fill="none"
          stroke="var(--line-strong)"
          strokeOpacity={0.28 + index * 0.14}
          strokeWidth="1.25"
        />
      ))}
      <path d="M274 590L130 850H510L366 590z" fill="url(#home-floor)" filter="url(#home-soft)" />
      <path d={`${arch(0.12)}z`} fill="url(#home-lamp)" />
    </svg>
  )
}
