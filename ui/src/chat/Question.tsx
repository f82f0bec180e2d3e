import { MessagePrimitive } from "@assistant-ui/react"
import { PencilLine } from "lucide-react"
import { type KeyboardEvent, useState } from "react"
import { Button, IconButton } from "@/parts/Button"
import { CopyButton } from "@/parts/Small"
import { useClient } from "@/store/react"
import { type Message, Progress } from "@/store/tree"
import { answerActions, useWork } from "./actions"
import { useThreadContext } from "./context"
import { useThreadOptions } from "./unlearned"
import { Versions } from "./Versions"

export function Question({ message }: { message: Message }) {
  const editing = useWork(message.id) === "edit"
  const sending = message.progress === Progress.Sending
  return (
    <MessagePrimitive.Root
      render={<article aria-label="You" />}
      id={message.id}
      className="group/message mx-auto w-full max-w-[40rem] scroll-mt-6 pt-8"
    >
      {editing ? (
        <Edit message={message} />
      ) : (
        <div className="flex flex-col items-end">
          <p
            className={`max-w-[88%] rounded-xl rounded-br-sm bg-tide-wash px-4 py-2.5 text-[1rem] leading-relaxed break-words whitespace-pre-wrap ${sending ? "opacity-65" : ""}`}
          >
            {message.content}
          </p>
          <div className="mt-1 flex h-8 items-center opacity-0 transition-opacity group-hover/message:opacity-100 focus-within:opacity-100 has-[[data-versions]]:opacity-100 touch:opacity-100">
            <Versions id={message.id} what="question" />
            <CopyButton text={message.content} />
            <IconButton
              label="Edit and ask again"
              disabled={sending}
              onClick={() => answerActions.open("edit", message.id)}
            >
              <PencilLine />
            </IconButton>
          </div>
        </div>
      )}
    </MessagePrimitive.Root>
  )
}

function Edit({ message }: { message: Message }) {
  const client = useClient()
  const { threadId } = useThreadContext()
  const { options } = useThreadOptions()
  const [text, setText] = useState(message.content)
  const save = () => {
    const content = text.trim()
    answerActions.close()
    if (content && content !== message.content) client.edit(threadId, message, content, options)
  }
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Escape") answerActions.close()
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) save()
  }
  return (
    <div className="rounded-xl border border-tide bg-raised p-2 shadow-1">
      <textarea
        aria-label="Your question"
        // biome-ignore lint/a11y/noAutofocus: the person asked to write here
        autoFocus
        value={text}
        onFocus={(event) => event.target.setSelectionRange(text.length, text.length)}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={keys}
        className="field-sizing-content max-h-[50vh] min-h-16 w-full resize-none bg-transparent px-2.5 py-1.5 text-[1rem] leading-relaxed outline-none"
      />
      <div className="flex items-center justify-between gap-2 pl-2.5">
        <p className="text-xs text-faint">
          The old question and its answer stay as another version.
        </p>
        <div className="flex gap-2">
          <Button small look="plain" onClick={answerActions.close}>
            Cancel
          </Button>
          <Button small look="primary" onClick={save} disabled={!text.trim()}>
            Ask
          </Button>
        </div>
      </div>
    </div>
  )
}
