import { X } from "lucide-react"
import { useSyncExternalStore } from "react"
import { IconButton } from "./Button"

interface Toast {
  id: number
  text: string
  look: "plain" | "error"
  action?: { label: string; run: () => void }
}

const SHOWN_FOR = 6_000

let toasts: readonly Toast[] = []
let last = 0
const listeners = new Set<() => void>()

function set(next: readonly Toast[]) {
  toasts = next
  for (const listener of listeners) listener()
}

const dismiss = (id: number) => set(toasts.filter((each) => each.id !== id))

/** Says something in passing, at the foot of the page. */
export function toast(text: string, options: Partial<Pick<Toast, "look" | "action">> = {}): void {
  const id = ++last
  set([...toasts.slice(-2), { id, text, look: "plain", ...options }])
  setTimeout(() => dismiss(id), SHOWN_FOR)
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts)
  return (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-0 bottom-24 z-50 flex flex-col items-center gap-2 px-4"
    >
      {shown.map(({ id, text, look, action }) => (
        <div
          key={id}
          className={`settle pointer-events-auto flex items-center gap-3 rounded-lg border bg-raised py-1.5 pr-1.5 pl-4 text-sm shadow-2 ${look === "error" ? "border-rose/50 text-rose" : "border-line"}`}
        >
          {text}
          {action && (
            <button
              type="button"
              className="font-semibold text-tide hover:underline"
              onClick={() => {
                dismiss(id)
                action.run()
              }}
            >
              {action.label}
            </button>
          )}
          <IconButton label="Dismiss" onClick={() => dismiss(id)}>
            <X />
          </IconButton>
        </div>
      ))}
    </div>
  )
}
