import katex from "katex"
import "katex/dist/katex.min.css"

// its own rendering of errors needs inline styles, which the content security policy refuses
const settings = { throwOnError: true, trust: false, strict: "ignore", maxExpand: 500 } as const

/** Draws a formula into an element. One that is wrong, or not yet whole, is shown as its source. */
export function render(tex: string, element: HTMLElement, display: boolean): void {
  try {
    katex.render(tex, element, { ...settings, displayMode: display })
  } catch (error) {
    if (!(error instanceof katex.ParseError)) throw error
    element.textContent = tex
  }
}
