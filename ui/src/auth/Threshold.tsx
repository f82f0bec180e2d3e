/** Doorway behind doorway, and a light that is on in the last: the picture beside the sign-in. */

const CENTRE = 450
const HORIZON = 660
const STEP = 0.69
const DOORS = 7

/** One doorway, seen at `scale` from the vanishing point; open below unless closed. */
function doorway(scale: number, end = "z"): string {
  const half = 400 * scale
  const foot = HORIZON + 520 * scale
  const spring = HORIZON - 150 * scale
  return `M${CENTRE - half} ${foot}V${spring}a${half} ${half} 0 0 1 ${half * 2} 0V${foot}${end}`
}

const scales = Array.from({ length: DOORS }, (_, index) => 1.16 * STEP ** index)
const last = scales.at(-1) ?? 1
const light = { half: 400 * last, foot: HORIZON + 520 * last }

export function Threshold({ className }: { className?: string }) {
  return (
    <svg
      viewBox="0 0 900 1200"
      preserveAspectRatio="xMidYMid slice"
      className={className}
      aria-hidden="true"
    >
      <defs>
        <linearGradient id="dusk" x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor="#0a1d29" />
          <stop offset="0.55" stopColor="#12303d" />
          <stop offset="1" stopColor="#0c222d" />
        </linearGradient>
        <linearGradient id="lamp" x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor="#ffdda3" />
          <stop offset="0.5" stopColor="#f9c06a" />
          <stop offset="1" stopColor="#ffe6ba" />
        </linearGradient>
        <linearGradient id="spill" x1="0" y1="0" x2="0" y2="1">
          <stop offset="0" stopColor="#ffcf87" stopOpacity="0.85" />
          <stop offset="0.25" stopColor="#f2b154" stopOpacity="0.34" />
          <stop offset="1" stopColor="#f2b154" stopOpacity="0.02" />
        </linearGradient>
        <radialGradient id="glow">
          <stop offset="0" stopColor="#ffcf87" stopOpacity="0.7" />
          <stop offset="0.35" stopColor="#f0ab4d" stopOpacity="0.24" />
          <stop offset="1" stopColor="#f0ab4d" stopOpacity="0" />
        </radialGradient>
        <filter id="grain">
          <feTurbulence type="fractalNoise" baseFrequency="0.85" numOctaves="2" seed="4" />
          <feColorMatrix values="0 0 0 0 1  0 0 0 0 1  0 0 0 0 1  0 0 0 0.35 -0.07" />
        </filter>
        <filter id="soft">
          <feGaussianBlur stdDeviation="14" />
        </filter>
      </defs>
      <rect width="900" height="1200" fill="url(#dusk)" />
      {scales.slice(0, -1).map((scale, index) => (
        <g key={scale}>
          <path
            d={doorway(scale)}
            fill={`oklch(${0.235 + index * 0.047} ${0.034 + index * 0.005} ${228 - index * 6})`}
          />
          <path
            d={doorway(scale, "")}
            fill="none"
            stroke="#f4bd6a"
            strokeOpacity={0.07 + index * 0.05}
            strokeWidth={2.4 - index * 0.25}
          />
        </g>
      ))}
      <path
        d={`M${CENTRE - light.half} ${light.foot}L${CENTRE - 330} 1200H${CENTRE + 330}L${CENTRE + light.half} ${light.foot}z`}
        fill="url(#spill)"
        filter="url(#soft)"
      />
      <ellipse
        className="breathe-slow"
        cx={CENTRE}
        cy={HORIZON - 10}
        rx="390"
        ry="430"
        fill="url(#glow)"
      />
      <path d={doorway(last)} fill="url(#lamp)" />
      <rect width="900" height="1200" filter="url(#grain)" opacity="0.16" />
    </svg>
  )
}
