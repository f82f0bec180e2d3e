/** Highlighting: text and a grammar in, a tree of classed spans out. Loaded with the first code block. */
import type { Root } from "hast"
import { createLowlight } from "lowlight"
import { loadGrammar } from "./languages"

const lowlight = createLowlight()

export async function prepare(grammar: string): Promise<void> {
  if (!lowlight.registered(grammar)) lowlight.register(grammar, await loadGrammar(grammar))
}

export const highlight = (grammar: string, code: string): Root => lowlight.highlight(grammar, code)
