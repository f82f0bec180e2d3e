import { changesOf } from "./changes"

const looks = {
  gone: "mr-0.5 text-faint decoration-rose/70",
  new: "rounded-xs bg-lamp/35 no-underline",
} as const

/** Two texts as one, with what went and what came marked. */
export function Diff({ before, after }: { before: string; after: string }) {
  return (
    <p className="prose whitespace-pre-wrap">
      {changesOf(before, after).map(({ kind, text }, index) => {
        if (kind === "same") return text
        const Tag = kind === "gone" ? "del" : "ins"
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces of one text in order
          <Tag key={index} className={looks[kind]}>
            {text}
          </Tag>
        )
      })}
    </p>
  )
}
