import { type ComponentProps, type ReactNode, useId } from "react"

const box =
  "w-full rounded-md border border-line-strong bg-raised px-3 text-base text-ink placeholder:text-faint transition-colors hover:border-faint focus:border-tide focus:outline-2 focus:-outline-offset-1 focus:outline-tide aria-invalid:border-rose"

type Common = { label: string; hint?: ReactNode; error?: string | null; hideLabel?: boolean }

/** What ties a control to the line below it. */
const noted = (id: string, hint: ReactNode, error?: string | null) => ({
  id,
  "aria-invalid": error ? true : undefined,
  "aria-describedby": hint || error ? `${id}-note` : undefined,
})

function Frame({
  id,
  label,
  hint,
  error,
  hideLabel,
  children,
}: Common & { id: string; children: ReactNode }) {
  return (
    <div>
      <label
        htmlFor={id}
        className={hideLabel ? "sr-only" : "mb-1.5 block text-sm font-[550] text-soft"}
      >
        {label}
      </label>
      {children}
      {error ? (
        <p id={`${id}-note`} role="alert" className="mt-1.5 text-sm text-rose">
          {error}
        </p>
      ) : (
        hint && (
          <p id={`${id}-note`} className="mt-1.5 text-sm text-faint">
            {hint}
          </p>
        )
      )}
    </div>
  )
}

export function Field({
  label,
  hint,
  error,
  hideLabel,
  className = "",
  ...rest
}: Common & ComponentProps<"input">) {
  const id = useId()
  return (
    <Frame {...{ id, label, hint, error, hideLabel }}>
      <input {...noted(id, hint, error)} className={`h-11 ${box} ${className}`} {...rest} />
    </Frame>
  )
}

export function Area({
  label,
  hint,
  error,
  hideLabel,
  className = "",
  ...rest
}: Common & ComponentProps<"textarea">) {
  const id = useId()
  return (
    <Frame {...{ id, label, hint, error, hideLabel }}>
      <textarea
        {...noted(id, hint, error)}
        className={`field-sizing-content min-h-20 py-2 ${box} ${className}`}
        {...rest}
      />
    </Frame>
  )
}

export function Select({
  label,
  hint,
  error,
  hideLabel,
  className = "",
  ...rest
}: Common & ComponentProps<"select">) {
  const id = useId()
  return (
    <Frame {...{ id, label, hint, error, hideLabel }}>
      <select id={id} className={`h-9 ${box} ${className}`} {...rest} />
    </Frame>
  )
}

interface Choice<T extends string> {
  value: T
  label: ReactNode
}

/** One of a few, all in sight. */
export function Segmented<T extends string>({
  label,
  value,
  choices,
  onChange,
}: {
  label: string
  value: T
  choices: readonly Choice<T>[]
  onChange: (value: T) => void
}) {
  const name = useId()
  return (
    <fieldset className="inline-flex rounded-md bg-sunken p-0.5">
      <legend className="sr-only">{label}</legend>
      {choices.map((choice) => (
        <label
          key={choice.value}
          className="relative cursor-pointer rounded-sm px-3 py-1.5 text-sm font-[550] text-soft transition-colors has-checked:bg-raised has-checked:text-ink has-checked:shadow-1 has-focus-visible:outline-2 has-focus-visible:outline-tide"
        >
          <input
            type="radio"
            name={name}
            className="sr-only"
            checked={value === choice.value}
            onChange={() => onChange(choice.value)}
          />
          <span className="inline-flex items-center gap-1.5">{choice.label}</span>
        </label>
      ))}
    </fieldset>
  )
}
