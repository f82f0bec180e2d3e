/**
 * Closes what the end of a growing text has opened and not closed yet, so that half a mark is never shown
 * as characters: `**bol` reads as bold, half a link as its words.
 */
export function mended(text: string): string {
  const start = text.lastIndexOf("\n\n") + 1
  const tail = text.slice(start)
  if (/^ {0,3}(?:`{3,}|~{3,})/m.test(tail) || openFence(text)) return text
  const linked = tail.replace(/!?\[([^\]\n]*)(?:\]\([^)\n]*)?$/, "$1")
  const ticks = linked.match(/`+/g) ?? []
  if (ticks.length % 2 === 1) return `${text.slice(0, start)}${linked}${ticks.at(-1)}`
  const plain = linked.replace(/`[^`]*`/g, "")
  const bold = plain.split("**").length % 2 === 0
  const trimmed = linked.replace(/\s+$/, "")
  if (!bold) return text.slice(0, start) + linked
  // an opening mark with nothing after it yet would be read as text
  return text.slice(0, start) + (trimmed.endsWith("**") ? trimmed.slice(0, -2) : `${trimmed}**`)
}

const openFence = (text: string) => (text.match(/^ {0,3}(?:`{3,}|~{3,})/gm) ?? []).length % 2 === 1
