import type { ComponentProps } from "react"

const looks = {
  primary: "bg-tide text-on-tide hover:bg-tide-strong disabled:bg-line-strong disabled:text-sheet",
  quiet: "border border-line bg-raised text-ink hover:border-line-strong disabled:text-faint",
  plain: "text-soft hover:bg-hover hover:text-ink disabled:text-faint",
  lamp: "bg-lamp text-[oklch(0.25_0.05_60)] hover:brightness-105 disabled:bg-line-strong disabled:text-sheet",
  danger: "border border-rose/40 text-rose hover:bg-rose-wash disabled:text-faint",
} as const

type Props = ComponentProps<"button"> & {
  look?: keyof typeof looks
  small?: boolean
  busy?: boolean
}

export function Button({
  look = "quiet",
  small,
  busy,
  className = "",
  children,
  disabled,
  ...rest
}: Props) {
  const size = small ? "h-8 px-3 text-sm gap-1.5" : "h-10 px-4 text-base gap-2"
  return (
    <button
      type="button"
      aria-busy={busy || undefined}
      disabled={disabled || busy}
      className={`inline-flex shrink-0 items-center justify-center rounded-md font-[550] whitespace-nowrap transition-colors ${size} ${looks[look]} ${className}`}
      {...rest}
    >
      {busy && <Spinner />}
      {children}
    </button>
  )
}

export function Spinner() {
  return (
    <svg viewBox="0 0 16 16" className="size-[1em] animate-spin" aria-hidden="true">
      <circle
        cx="8"
        cy="8"
        r="6.25"
        className="fill-none stroke-current opacity-25"
        strokeWidth="2"
      />
      <path
        d="M14.25 8A6.25 6.25 0 0 0 8 1.75"
        className="fill-none stroke-current"
        strokeWidth="2"
      />
    </svg>
  )
}

const iconSizes = {
  small: "size-6 [&_svg]:size-3.5",
  medium: "size-8 touch:size-9 [&_svg]:size-4",
} as const

type IconProps = ComponentProps<"button"> & {
  label: string
  pressed?: boolean
  hint?: string
  size?: keyof typeof iconSizes
}

/** A button that shows a sign only; its label is its name and its tip. */
export function IconButton({
  label,
  hint,
  pressed,
  size = "medium",
  className = "",
  ...rest
}: IconProps) {
  return (
    <button
      type="button"
      aria-label={label}
      aria-pressed={pressed}
      title={hint ? `${label}  ${hint}` : label}
      className={`inline-grid shrink-0 place-items-center rounded-md text-faint transition-colors hover:bg-hover hover:text-ink disabled:pointer-events-none disabled:opacity-40 ${iconSizes[size]} ${className}`}
      {...rest}
    />
  )
}
