import type { Root, RootContent } from "hast"
import { Fragment, type ReactNode, useEffect, useState } from "react"
import { CopyButton } from "@/parts/Small"
import { grammarName } from "./languages"

type Highlighter = typeof import("./highlight")

/** A code block with its language and a button to copy it. */
export function CodeBlock({ code, info }: { code: string; info: string }) {
  const grammar = grammarName(info)
  const highlighter = useHighlighter(grammar)
  const tree = highlighter && grammar ? highlighter.highlight(grammar, code) : null
  return (
    <figure className="group/code overflow-hidden rounded-lg border border-line bg-sunken font-sans">
      <figcaption className="flex h-9 items-center justify-between pr-1 pl-4 text-xs text-faint">
        <span>{info || "text"}</span>
        <CopyButton text={code} label="Copy code" />
      </figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard */}
      <pre tabIndex={0} className="overflow-x-auto px-4 pb-4 font-mono text-sm leading-relaxed">
        <code>{tree ? spans(tree) : code}</code>
      </pre>
    </figure>
  )
}

function useHighlighter(grammar: string | null): Highlighter | null {
  const [ready, setReady] = useState<{ grammar: string; module: Highlighter } | null>(null)
  useEffect(() => {
    if (grammar === null) return
    let wanted = true
    import("./highlight").then(async (module) => {
      await module.prepare(grammar)
      if (wanted) setReady({ grammar, module })
    })
    return () => {
      wanted = false
    }
  }, [grammar])
  return ready?.grammar === grammar ? ready.module : null
}

function spans(node: Root | RootContent, key?: number): ReactNode {
  if (node.type === "text") return node.value
  if (node.type !== "element" && node.type !== "root") return null
  const inner = node.children.map((child, index) => spans(child, index))
  if (node.type === "root") return inner
  const names = node.properties.className
  return (
    <Fragment key={key}>
      <span className={Array.isArray(names) ? names.join(" ") : undefined}>{inner}</span>
    </Fragment>
  )
}
