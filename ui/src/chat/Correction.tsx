import { type KeyboardEvent, useDeferredValue, useState } from "react"
import { Button } from "@/parts/Button"
import type { Message } from "@/store/tree"
import { answerActions } from "./actions"
import { Diff } from "./Diff"
import { useFeedback } from "./feedback"

/** The answer as it should have been, written over a copy of it; the difference shows while one writes. */
export default function Correction({ message }: { message: Message }) {
  const earlier = message.feedback.find(({ kind }) => kind === "correction")
  const [text, setText] = useState(earlier?.text ?? message.content)
  const compared = useDeferredValue(text)
  const { give } = useFeedback()
  const changed = text.trim() !== "" && text !== (earlier?.text ?? message.content)
  const save = async () => {
    if (changed && (await give(message, { kind: "correction", text })))
      answerActions.finish("correct", message.id)
  }
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Escape") answerActions.close()
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) void save()
  }
  return (
    <section
      aria-label="Correct the answer"
      className="settle overflow-hidden rounded-lg border border-lamp-line bg-lamp-wash"
    >
      <p className="px-5 pt-3.5 text-sm font-semibold text-lamp-ink">
        Write it as it should have been
      </p>
      <textarea
        aria-label="The corrected answer"
        // biome-ignore lint/a11y/noAutofocus: the person asked to write here
        autoFocus
        value={text}
        onFocus={({ target }) => {
          target.setSelectionRange(0, 0)
          target.scrollTop = 0
        }}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={keys}
        className="prose field-sizing-content max-h-[55vh] w-full resize-none bg-transparent px-5 py-3 outline-none"
      />
      {compared !== message.content && (
        <div className="border-t border-lamp-line bg-sheet px-5 py-4">
          <p className="mb-2 text-xs font-semibold text-faint">Changes</p>
          <Diff before={message.content} after={compared} />
        </div>
      )}
      <div className="flex items-center justify-end gap-2 border-t border-lamp-line px-3 py-2.5">
        <Button small look="plain" onClick={answerActions.close}>
          Cancel
        </Button>
        <Button small look="lamp" onClick={save} disabled={!changed}>
          Keep the correction
        </Button>
      </div>
    </section>
  )
}
