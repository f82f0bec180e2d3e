import { ChevronLeft, ChevronRight } from "lucide-react"
import { IconButton } from "@/parts/Button"
import { useClient } from "@/store/react"
import { siblings } from "@/store/tree"
import { useThreadContext } from "./context"

/** Leads from one version of a message to another; not there while there is only one. */
export function Versions({ id, what }: { id: string; what: "question" | "answer" }) {
  const client = useClient()
  const { threadId, tree } = useThreadContext()
  const all = siblings(tree, id)
  const here = all.indexOf(id)
  if (all.length < 2) return null
  const show = (index: number) => () => {
    const next = all[index]
    if (next) client.select(threadId, next)
  }
  return (
    <fieldset data-versions className="mr-1 flex items-center text-xs text-faint">
      <legend className="sr-only">Versions of this {what}</legend>
      <IconButton
        label={`Earlier ${what}`}
        size="small"
        disabled={here === 0}
        onClick={show(here - 1)}
      >
        <ChevronLeft />
      </IconButton>
      <span className="tabular-nums" aria-live="polite">
        <span className="sr-only">Version </span>
        {here + 1}
        <span aria-hidden="true"> / </span>
        <span className="sr-only"> of </span>
        {all.length}
      </span>
      <IconButton
        label={`Later ${what}`}
        size="small"
        disabled={here === all.length - 1}
        onClick={show(here + 1)}
      >
        <ChevronRight />
      </IconButton>
    </fieldset>
  )
}
