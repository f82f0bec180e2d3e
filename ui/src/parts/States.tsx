/** What a place shows when it has nothing, is waiting, or went wrong. */
import type { ReactNode } from "react"
import { wordsOf } from "@/api/client"
import { Button } from "./Button"
import { Door } from "./Door"

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-14 text-center">
      <Door className="mb-2 size-9 opacity-70" lit={false} />
      <p className="font-serif text-xl font-[450]">{title}</p>
      {children && <div className="max-w-sm text-sm text-faint">{children}</div>}
    </div>
  )
}

export function Failed({
  what,
  error,
  onRetry,
}: {
  what: string
  error: unknown
  onRetry?: () => void
}) {
  return (
    <div role="alert" className="flex flex-col items-center gap-1.5 px-6 py-12 text-center">
      <p className="font-serif text-lg font-[480]">{what}</p>
      <p className="max-w-sm text-sm text-faint">{wordsOf(error)}</p>
      {onRetry && (
        <Button small className="mt-3" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  )
}

export function Waiting({ label = "Loading" }: { label?: string }) {
  return (
    <div className="appear-late grid h-full min-h-40 place-items-center" role="status">
      <Door className="size-9" lit="breathing" />
      <span className="sr-only">{label}</span>
    </div>
  )
}

export function Bars({ rows, className = "" }: { rows: number; className?: string }) {
  return (
    <div className={`appear-late flex flex-col gap-3 ${className}`} aria-hidden="true">
      {Array.from({ length: rows }, (_, index) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: the rows are all the same
          key={index}
          className="breathe h-4 rounded-sm bg-sunken"
          style={{ width: `${88 - ((index * 29) % 46)}%`, animationDelay: `${index * 90}ms` }}
        />
      ))}
    </div>
  )
}
