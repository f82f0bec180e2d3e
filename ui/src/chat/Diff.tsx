import { diffWordsWithSpace } from "diff"

/** Two texts as one, with what went and what came marked. */
export function Diff({ before, after }: { before: string; after: string }) {
  const parts = diffWordsWithSpace(before, after)
  return (
    <p className="prose whitespace-pre-wrap">
      {parts.map((part, index) => {
        // biome-ignore-start lint/suspicious/noArrayIndexKey: pieces of one text in order
        if (part.added)
          return (
            <ins key={index} className="rounded-xs bg-lamp/35 no-underline">
              {part.value}
            </ins>
          )
        if (part.removed)
          return (
            <del key={index} className="text-faint decoration-rose/70">
              {part.value}
            </del>
          )
        // biome-ignore-end lint/suspicious/noArrayIndexKey: pieces of one text in order
        return part.value
      })}
    </p>
  )
}
