import type { ReactNode } from "react"
import { Modal } from "./Modal"

interface Props {
  title: string
  onClose: () => void
  children: ReactNode
  /** Stays at the foot while the rest scrolls. */
  footer?: ReactNode
}

const looks = {
  box: "sheet m-0 ml-auto h-dvh max-h-dvh w-[min(31rem,100vw)] max-w-none border-l",
  stack: "h-full",
  head: "flex shrink-0 items-center justify-between gap-4 px-6 pt-5 pb-2",
}

/** A modal at the right edge: what one looked at stays in sight beside it. */
export function Sheet({ title, onClose, children, footer }: Props) {
  return (
    <Modal title={title} onClose={onClose} looks={looks}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard */}
      <div tabIndex={0} className="min-h-0 flex-1 overflow-y-auto px-6 pb-8 -outline-offset-2">
        {children}
      </div>
      {footer && <footer className="shrink-0 border-t border-line px-6 py-3.5">{footer}</footer>}
    </Modal>
  )
}
