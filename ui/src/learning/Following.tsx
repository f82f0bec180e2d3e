import { Check } from "lucide-react"
import type { Feedback } from "@/api/types"
import { Door } from "@/parts/Door"
import { stageWords } from "./words"
import { useFollowing } from "./useFollowing"

/** One quiet line: how far what was just taught is on its way into answers. */
export function Following({ feedback }: { feedback: Feedback }) {
  const stage = useFollowing(feedback)
  if (!stage) return null
  const moving = stage.name === "waits" || stage.name === "learning" || stage.name === "checked"
  return (
    <p role="status" className="settle mt-1 flex items-center gap-1.5 text-xs text-faint">
      {stage.name === "serves" && <Check className="size-3.5 text-lamp-ink" aria-hidden="true" />}
      {moving && <Door className="size-3.5" lit="breathing" />}
      {stageWords(stage)}
    </p>
  )
}
