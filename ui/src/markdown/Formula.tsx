import { useEffect, useRef } from "react"

/** A formula. KaTeX builds it as DOM nodes, so it needs neither HTML strings nor inline styles. */
export function Formula({ tex, display }: { tex: string; display: boolean }) {
  const ref = useRef<HTMLSpanElement>(null)
  useEffect(() => {
    let wanted = true
    import("./katex").then(({ render }) => {
      if (wanted && ref.current) render(tex, ref.current, display)
    })
    return () => {
      wanted = false
    }
  }, [tex, display])
  return (
    <span ref={ref} className={display ? "math-display" : undefined}>
      {tex}
    </span>
  )
}
