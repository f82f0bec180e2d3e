import type { ReactNode } from "react"

/** A setting with its name and reason on one side and its control on the other. */
export function Setting({
  name,
  about,
  children,
}: {
  name: string
  about?: ReactNode
  children: ReactNode
}) {
  return (
    <section className="flex flex-col gap-3 border-t border-line py-5 sm:flex-row sm:items-start sm:justify-between sm:gap-8">
      <div className="max-w-md">
        <h2 className="text-base font-[550]">{name}</h2>
        {about && <p className="mt-0.5 text-sm text-faint">{about}</p>}
      </div>
      <div className="shrink-0">{children}</div>
    </section>
  )
}

/** On or off. */
export function Toggle({
  label,
  on,
  onChange,
}: {
  label: string
  on: boolean
  onChange: (on: boolean) => void
}) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={on}
      aria-label={label}
      onClick={() => onChange(!on)}
      className="relative h-6 w-11 rounded-full bg-line-strong transition-colors after:absolute after:top-0.5 after:left-0.5 after:size-5 after:rounded-full after:bg-raised after:shadow-1 after:transition-transform aria-checked:bg-tide aria-checked:after:translate-x-5"
    />
  )
}
