import { type RefCallback, useCallback } from "react"
import { useHash } from "@/router"

const LIT_FOR = 2_400

/** Lights an item up, and brings it into view, when the address ends in its id. */
export function useLit<T extends HTMLElement>(id: string): RefCallback<T> {
  const named = useHash() === id
  return useCallback(
    (element: T | null) => {
      if (!element || !named) return
      element.scrollIntoView({ block: "center" })
      element.animate([{ backgroundColor: "var(--lamp-wash)" }, {}], LIT_FOR)
    },
    [named],
  )
}
