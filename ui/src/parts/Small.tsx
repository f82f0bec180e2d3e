import { Check, Copy } from "lucide-react"
import { type ReactNode, useState } from "react"
import { IconButton } from "./Button"

export function Kbd({ children }: { children: ReactNode }) {
  return (
    <kbd className="inline-grid h-5 min-w-5 place-items-center rounded-sm border border-line bg-sunken px-1 font-sans text-2xs font-medium text-faint">
      {children}
    </kbd>
  )
}

const chips = {
  plain: "border-line bg-sunken text-soft",
  tide: "border-transparent bg-tide-wash text-tide",
  lamp: "border-lamp-line bg-lamp-wash text-lamp-ink",
  moss: "border-transparent bg-moss-wash text-moss",
  rose: "border-transparent bg-rose-wash text-rose",
} as const

export type ChipLook = keyof typeof chips

export function Chip({
  look = "plain",
  children,
  title,
}: {
  look?: ChipLook
  children: ReactNode
  title?: string
}) {
  return (
    <span
      title={title}
      className={`inline-flex h-5.5 items-center gap-1 rounded-full border px-2 text-xs font-[550] whitespace-nowrap [&_svg]:size-3 ${chips[look]}`}
    >
      {children}
    </span>
  )
}

const SHOWN_FOR = 1_600

export function CopyButton({
  text,
  label = "Copy",
}: {
  text: string | (() => string)
  label?: string
}) {
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    await navigator.clipboard.writeText(typeof text === "string" ? text : text())
    setCopied(true)
    setTimeout(() => setCopied(false), SHOWN_FOR)
  }
  return (
    <IconButton label={copied ? "Copied" : label} onClick={copy}>
      {copied ? <Check className="text-moss" /> : <Copy />}
    </IconButton>
  )
}

/** A picture of a person from the first letters of the name. */
export function Initials({
  name,
  className = "size-7 text-xs",
}: {
  name: string
  className?: string
}) {
  const letters = name
    .split(/[\s@._-]+/)
    .slice(0, 2)
    .map((part) => part[0]?.toUpperCase() ?? "")
    .join("")
  return (
    <span
      aria-hidden="true"
      className={`grid shrink-0 place-items-center rounded-t-full rounded-b-md bg-tide pt-0.5 font-semibold text-on-tide ${className}`}
    >
      {letters}
    </span>
  )
}
