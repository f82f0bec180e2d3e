/** What changed between two texts, in runs that a person would name: words together, not letter by letter. */
import { diffWordsWithSpace } from "diff"

export interface Run {
  kind: "same" | "gone" | "new"
  text: string
}

/** Changes that only white space parts are one change: what went, then what came. */
export function changesOf(before: string, after: string): Run[] {
  const runs: Run[] = []
  let gone = ""
  let come = ""
  const flush = () => {
    if (gone) runs.push({ kind: "gone", text: gone })
    if (come) runs.push({ kind: "new", text: come })
    gone = ""
    come = ""
  }
  const parts = diffWordsWithSpace(before, after)
  parts.forEach(({ added, removed, value }, index) => {
    const between = index > 0 && index < parts.length - 1 && gone + come !== ""
    if (added) come += value
    else if (removed) gone += value
    else if (between && /^[^\S\n]+$/.test(value)) {
      gone += value
      come += value
    } else {
      flush()
      runs.push({ kind: "same", text: value })
    }
  })
  flush()
  return runs
}
