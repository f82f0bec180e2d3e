import type { AlignType, ListItem, Nodes, Parents, Root, Table } from "mdast"
import { createElement, Fragment, memo, type ReactNode, useMemo, useRef } from "react"
import { CodeBlock } from "./Code"
import { Formula } from "./Formula"
import { safeAddress } from "./links"
import { mended } from "./mend"
import { type Block, parseBlocks } from "./parse"

/** An answer's Markdown. While it streams, blocks that are finished are neither parsed nor drawn again. */
export function Markdown({ text, writing = false }: { text: string; writing?: boolean }) {
  const before = useRef<Block[]>([])
  const blocks = useMemo(() => {
    before.current = parseBlocks(writing ? mended(text) : text, before.current)
    return before.current
  }, [text, writing])
  return (
    <div className={`prose ${writing ? "writing" : ""}`}>
      {blocks.map((block, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: blocks only ever grow at the end
        <BlockView key={index} block={block} />
      ))}
    </div>
  )
}

const BlockView = memo(({ block }: { block: Block }) => {
  const root: Root = { type: "root", children: block.nodes }
  return <>{all(root, contextOf(root))}</>
})

interface Context {
  definitions: Map<string, string>
  footnotes: Map<string, { number: number; node: Parents }>
}

function contextOf(root: Root): Context {
  const context: Context = { definitions: new Map(), footnotes: new Map() }
  for (const node of root.children) {
    if (node.type === "definition") context.definitions.set(node.identifier, node.url)
    if (node.type === "footnoteDefinition")
      context.footnotes.set(node.identifier, { number: context.footnotes.size + 1, node })
  }
  return context
}

function all(parent: Parents, context: Context): ReactNode[] {
  const nodes = parent.children.map((child, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a syntax tree has no other names
    <Fragment key={index}>{one(child, context)}</Fragment>
  ))
  if (parent.type === "root" && context.footnotes.size > 0)
    nodes.push(<Footnotes key="footnotes" context={context} />)
  return nodes
}

/** Every kind of node that is drawn. A kind that is missing here (html, for one) is shown as its text. */
function one(node: Nodes, context: Context): ReactNode {
  switch (node.type) {
    case "text":
    case "html":
      return node.value
    case "paragraph": {
      const [only, ...others] = node.children
      if (only?.type === "inlineMath" && others.length === 0)
        return <Formula tex={only.value} display />
      return <p>{all(node, context)}</p>
    }
    case "heading":
      // the page's own heading is the first level
      return createElement(`h${Math.min(6, node.depth + 1)}`, null, ...all(node, context))
    case "emphasis":
      return <em>{all(node, context)}</em>
    case "strong":
      return <strong>{all(node, context)}</strong>
    case "delete":
      return <del>{all(node, context)}</del>
    case "blockquote":
      return <blockquote>{all(node, context)}</blockquote>
    case "list":
      return node.ordered ? (
        <ol start={node.start ?? 1}>{all(node, context)}</ol>
      ) : (
        <ul>{all(node, context)}</ul>
      )
    case "listItem":
      return item(node, context)
    case "inlineCode":
      return <code>{node.value}</code>
    case "code":
      return <CodeBlock code={node.value} info={node.lang ?? ""} />
    case "math":
      return <Formula tex={node.value} display />
    case "inlineMath":
      return <Formula tex={node.value} display={false} />
    case "thematicBreak":
      return <hr />
    case "break":
      return <br />
    case "link":
      return anchor(node.url, all(node, context))
    case "linkReference":
      return anchor(context.definitions.get(node.identifier) ?? "", all(node, context))
    case "image":
      return anchor(node.url, `[image: ${node.alt || "untitled"}]`)
    case "imageReference":
      return anchor(
        context.definitions.get(node.identifier) ?? "",
        `[image: ${node.alt || "untitled"}]`,
      )
    case "table":
      return table(node, context)
    case "footnoteReference": {
      const note = context.footnotes.get(node.identifier)
      return note && <sup>{note.number}</sup>
    }
    default:
      return null
  }
}

function anchor(url: string, inner: ReactNode): ReactNode {
  const address = safeAddress(url)
  if (address === null) return inner
  return (
    <a href={address} target="_blank" rel="noopener noreferrer nofollow" title={address}>
      {inner}
    </a>
  )
}

function item(node: ListItem, context: Context): ReactNode {
  const tight = node.children.map((child, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a syntax tree has no other names
    <Fragment key={index}>
      {child.type === "paragraph" && !node.spread ? all(child, context) : one(child, context)}
    </Fragment>
  ))
  if (typeof node.checked !== "boolean") return <li>{tight}</li>
  return (
    <li className="task">
      <input type="checkbox" checked={node.checked} readOnly disabled aria-label="Task" />
      {tight}
    </li>
  )
}

function table(node: Table, context: Context): ReactNode {
  const [head, ...rows] = node.children
  const cells = (row: Table["children"][number] | undefined, tag: "th" | "td") =>
    row?.children.map((cell, index) =>
      createElement(
        tag,
        {
          key: index,
          style: alignment(node.align?.[index]),
          scope: tag === "th" ? "col" : undefined,
        },
        ...all(cell, context),
      ),
    )
  return (
    <div className="table-scroll">
      <table>
        <thead>
          <tr>{cells(head, "th")}</tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a syntax tree has no other names
            <tr key={index}>{cells(row, "td")}</tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const alignment = (align: AlignType | undefined) => (align ? { textAlign: align } : undefined)

function Footnotes({ context }: { context: Context }) {
  return (
    <ol className="footnotes">
      {[...context.footnotes.values()].map(({ number, node }) => (
        <li key={number}>{all(node, context)}</li>
      ))}
    </ol>
  )
}
