import katex from "katex"
import "katex/dist/katex.min.css"

/** Draws a formula into an element; a wrong one is shown as its source in red, never as an exception. */
export function render(tex: string, element: HTMLElement, display: boolean): void {
  katex.render(tex, element, {
    displayMode: display,
    throwOnError: false,
    trust: false,
    strict: "ignore",
    errorColor: "var(--rose)",
    maxExpand: 500,
    output: "htmlAndMathml",
  })
}
