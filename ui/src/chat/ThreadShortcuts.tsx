import { useShortcut } from "@/shell/shortcuts"
import { useClient } from "@/store/react"
import { type Message, Progress, siblings } from "@/store/tree"
import { useThreadContext } from "./context"
import { answerActions } from "./actions"
import { useGiveThumb } from "./feedback"
import { useThreadOptions } from "./unlearned"

/** The keys that act on the end of the branch that is shown. */
export function ThreadShortcuts({ path }: { path: readonly Message[] }) {
  const client = useClient()
  const { threadId, tree } = useThreadContext()
  const { options } = useThreadOptions()
  const last = path.at(-1)
  const answer = last?.role === "assistant" ? last : undefined
  const ended =
    answer && [Progress.Done, Progress.Stopped, Progress.Failed].includes(answer.progress)
  const question = path.findLast(({ role }) => role === "user")
  const thumb = useGiveThumb()

  const step = (by: number) => () => {
    if (!answer) return
    const all = siblings(tree, answer.id)
    const next = all[all.indexOf(answer.id) + by]
    if (next) client.select(threadId, next)
  }
  const whenEnded = (run: (answer: Message) => void) => (ended ? () => run(answer) : null)

  useShortcut("stop", answer && !ended ? () => client.stopAnswer(answer.id) : null)
  useShortcut("write", () => document.querySelector<HTMLElement>("[data-composer]")?.focus())
  useShortcut("edit", question ? () => answerActions.open("edit", question.id) : null)
  useShortcut(
    "again",
    whenEnded((each) => client.regenerate(threadId, each, options)),
  )
  useShortcut(
    "copy",
    whenEnded((each) => void navigator.clipboard.writeText(each.content)),
  )
  useShortcut("older", answer ? step(-1) : null)
  useShortcut("newer", answer ? step(1) : null)
  useShortcut(
    "good",
    whenEnded((each) => thumb(each, 1)),
  )
  useShortcut(
    "bad",
    whenEnded((each) => thumb(each, -1)),
  )
  useShortcut(
    "correct",
    whenEnded((each) => answerActions.open("correct", each.id)),
  )
  return null
}
