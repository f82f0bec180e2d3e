import { ComposerPrimitive, useAuiState } from "@assistant-ui/react"
import { ArrowUp, Lamp, Square } from "lucide-react"
import { count } from "@/parts/time"
import { MAX_CONTENT } from "@/protocol"
import { usePreferences } from "@/settings/preferences"
import { useThreadOptions } from "./unlearned"

/** Where one writes. The button is a doorway: lit when there is something to send. */
export function Composer({ running, big = false }: { running: boolean; big?: boolean }) {
  const text = useAuiState((state) => state.composer.text)
  const { send_on_enter } = usePreferences()
  const tooLong = text.length > MAX_CONTENT
  const look =
    "ml-auto grid h-10 w-9 shrink-0 place-items-center rounded-t-full rounded-b-md pt-1 transition-colors [&_svg]:size-4.5"
  return (
    <div className="mx-auto w-full max-w-[46rem]">
      <ComposerPrimitive.Root
        className="flex flex-wrap items-end gap-2 rounded-xl border border-line-strong bg-raised p-2 shadow-1 transition-[border-color,box-shadow] focus-within:border-tide focus-within:shadow-2"
        onSubmitCapture={(event) => {
          if (!tooLong) return
          event.preventDefault()
          event.stopPropagation()
        }}
      >
        {!big && <LearnedSwitch />}
        <ComposerPrimitive.Input
          data-composer
          autoFocus={matchMedia("(hover: hover)").matches}
          rows={1}
          minRows={big ? 2 : 1}
          maxRows={14}
          submitMode={send_on_enter ? "enter" : "ctrlEnter"}
          unstable_insertNewlineOnTouchEnter
          cancelOnEscape={false}
          aria-label="Message"
          aria-invalid={tooLong || undefined}
          placeholder={big ? "What is on your mind?" : "Write on"}
          className={`min-h-10 min-w-0 flex-1 resize-none bg-transparent py-2 text-base leading-relaxed outline-none placeholder:text-faint sm:text-[1rem] ${big ? "basis-full px-3" : ""}`}
        />
        {big && <LearnedSwitch />}
        {running ? (
          <ComposerPrimitive.Cancel
            aria-label="Stop"
            title="Stop"
            className={`${look} bg-ink text-sheet hover:bg-soft [&_svg]:size-3.5`}
          >
            <Square fill="currentColor" />
          </ComposerPrimitive.Cancel>
        ) : (
          <ComposerPrimitive.Send
            aria-label="Send"
            title="Send"
            disabled={tooLong || text.trim() === ""}
            className={`${look} bg-tide text-on-tide hover:bg-tide-strong disabled:bg-sunken disabled:text-faint`}
          >
            <ArrowUp />
          </ComposerPrimitive.Send>
        )}
      </ComposerPrimitive.Root>
      {tooLong && (
        <p role="alert" className="mt-1.5 px-4 text-sm text-rose">
          {count(text.length)} characters; {count(MAX_CONTENT)} fit into one message.
        </p>
      )}
    </div>
  )
}

/** Whether what was learned takes part in the next answers. */
function LearnedSwitch() {
  const { unlearned, toggle } = useThreadOptions()
  const words = unlearned ? "Answers leave out what you taught" : "Answers use what you taught"
  return (
    <button
      type="button"
      role="switch"
      aria-checked={!unlearned}
      aria-label="Answer with what you taught"
      title={words}
      onClick={toggle}
      className={`grid h-10 shrink-0 place-items-center rounded-md transition-colors hover:bg-hover [&_svg]:size-4.5 ${unlearned ? "text-faint" : "text-lamp-ink"}`}
    >
      <span className="flex items-center gap-1.5 px-2.5 text-xs font-[550]">
        <Lamp className={unlearned ? "" : "fill-lamp/60"} />
        {unlearned && "Without what you taught"}
      </span>
    </button>
  )
}
