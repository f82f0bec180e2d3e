/** Markdown to a syntax tree. There is no HTML on this way: what looks like it stays text. */
import type { RootContent } from "mdast"
import { fromMarkdown } from "mdast-util-from-markdown"
import { gfmFromMarkdown } from "mdast-util-gfm"
import { mathFromMarkdown } from "mdast-util-math"
import { gfm } from "micromark-extension-gfm"
import { math } from "micromark-extension-math"

const options = {
  extensions: [gfm({ singleTilde: false }), math({ singleDollarTextMath: false })],
  mdastExtensions: [gfmFromMarkdown(), mathFromMarkdown()],
}

/**
 * A code fence, a code span, or one of the ways that models write mathematics. The lengths are bounded, so that a
 * text full of opening marks costs no time squared.
 */
const pieces =
  /(^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ {0,3}\2[`~]*[ \t]*$|$(?![\s\S])))|(`+)(?!`)[\s\S]{0,2000}?[^`]\3(?!`)|\\\[([\s\S]{1,2000}?)\\\]|\\\(([\s\S]{1,2000}?)\\\)|(?<![\\$\w])\$(?![\s$])([^$\n]*[^\s$\\])\$(?![\w$])/gm

/**
 * Writes every mathematics delimiter as `$$`, which the grammar reads without guessing: `\[…\]` and `\(…\)`
 * are what most models write, and `$…$` counts only where it can't be an amount of money.
 */
export function withMathDelimiters(text: string): string {
  if (!/[\\$]/.test(text)) return text
  return text.replace(pieces, (whole, _fence, _mark, _tick, display, inline, dollars) => {
    if (display !== undefined) return `\n$$\n${display.trim()}\n$$\n`
    const formula = inline ?? dollars
    return formula === undefined ? whole : `$$${formula.trim()}$$`
  })
}

export interface Block {
  source: string
  nodes: RootContent[]
}

/** Link and footnote definitions reach over the whole text, so a text with them is not cut. */
const definition = /^ {0,3}\[[^\]\n]+\]:/m

/**
 * The top-level blocks of a text that grows at its end. Blocks of `before` that cannot change any more are
 * taken over as they are: only the end is parsed again, and only the end is rendered again.
 */
export function parseBlocks(text: string, before: readonly Block[]): Block[] {
  const whole = withMathDelimiters(text)
  if (definition.test(whole))
    return [{ source: whole, nodes: fromMarkdown(whole, options).children }]
  const kept: Block[] = []
  let length = 0
  // the last two may still grow together: a table's row, a setext underline, a lazy continuation
  for (const block of before.slice(0, -2)) {
    if (!whole.startsWith(block.source, length)) break
    kept.push(block)
    length += block.source.length
  }
  const rest = whole.slice(length)
  const { children } = fromMarkdown(rest, options)
  const starts = children.map((node) => node.position?.start.offset ?? 0)
  const added = children.map((node, index) => ({
    source: rest.slice(index === 0 ? 0 : starts[index], starts[index + 1] ?? rest.length),
    nodes: [node],
  }))
  return [...kept, ...added.map((block) => same(before, block) ?? block)]
}

const same = (before: readonly Block[], block: Block) =>
  before.find(({ source }) => source === block.source)
