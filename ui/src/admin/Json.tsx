import { LockKeyhole } from "lucide-react"
import type { ReactNode } from "react"

const INDENT = "  "
const SHOWN = 10

/** JSON as text, with its kinds of value coloured and encrypted fields marked. */
export function Json({ value }: { value: unknown }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard
    <pre tabIndex={0} className="overflow-x-auto font-mono text-xs leading-[1.7]">
      {draw(value, "")}
    </pre>
  )
}

function draw(value: unknown, indent: string): ReactNode {
  if (typeof value === "string") return <Text value={value} />
  if (typeof value !== "object" || value === null)
    return <span className="hljs-number">{String(value)}</span>
  const entries = Array.isArray(value)
    ? value.map((each): [null, unknown] => [null, each])
    : Object.entries(value)
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"]
  if (entries.length === 0) return open + close
  const deeper = indent + INDENT
  return (
    <>
      {open}
      {entries.map(([key, each], index) => (
        <span key={key ?? index}>
          {"\n"}
          {deeper}
          {key !== null && (
            <>
              <span className="hljs-attr">{JSON.stringify(key)}</span>
              {": "}
            </>
          )}
          {draw(each, deeper)}
          {index < entries.length - 1 && ","}
        </span>
      ))}
      {"\n"}
      {indent}
      {close}
    </>
  )
}

/** Personal fields are stored as `enc:<version>:<ciphertext>`. */
function Text({ value }: { value: string }) {
  if (!/^enc:\d+:/.test(value)) return <span className="hljs-string">{JSON.stringify(value)}</span>
  return (
    <span
      title={value}
      className="inline-flex items-center gap-1 rounded-sm bg-sunken px-1.5 align-[-0.1em] text-faint"
    >
      <LockKeyhole className="size-3" aria-hidden="true" />
      encrypted {value.split(":")[2]?.slice(0, SHOWN)}…
    </span>
  )
}
