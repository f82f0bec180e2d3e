import { at, inOneLine, type Operation } from "./patch"

interface Props {
  operations: readonly Operation[]
  /** What they are applied to; then what went is shown too. */
  before?: unknown
}

/** A patch as a diff: the place, what went, what came. */
export function OperationList({ operations, before }: Props) {
  return (
    <ul className="overflow-hidden rounded-md border border-line font-mono text-xs leading-[1.7]">
      {operations.map(({ op, path, value, from }, index) => {
        const old = before === undefined || op === "add" ? undefined : at(before, path)
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: operations of one patch in order
          <li key={index} className="border-b border-line last:border-0">
            <p className="bg-sunken px-3 py-0.5 text-faint">
              {op} <span className="text-soft">{path || "the whole"}</span>
              {from && ` from ${from}`}
            </p>
            {old !== undefined && (
              <p className="px-3 break-words whitespace-pre-wrap text-rose">
                <span aria-hidden="true">− </span>
                <del className="no-underline">{inOneLine(old)}</del>
              </p>
            )}
            {value !== undefined && op !== "remove" && (
              <p className="px-3 break-words whitespace-pre-wrap text-moss">
                <span aria-hidden="true">+ </span>
                <ins className="no-underline">{inOneLine(value)}</ins>
              </p>
            )}
          </li>
        )
      })}
    </ul>
  )
}
