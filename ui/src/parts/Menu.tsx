import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from "react"

interface Item {
  label: string
  icon?: ReactNode
  hint?: string
  danger?: boolean
  onSelect: () => void
}

interface Props {
  /** The button's name for assistive technology, and its tip. */
  label: string
  items: readonly (Item | "line")[]
  children: ReactNode
  className?: string
  /** The button's content is its name. */
  named?: boolean
  /** Which edge of the button the menu hangs from. */
  align?: "start" | "end"
  header?: ReactNode
}

const GAP = 6

/** A menu on the browser's own popover: top layer, Escape and a click elsewhere close it. */
export function Menu({
  label,
  items,
  children,
  className = "",
  align = "end",
  named,
  header,
}: Props) {
  const id = useId()
  const button = useRef<HTMLButtonElement>(null)
  const menu = useRef<HTMLDivElement>(null)
  // a long list has a menu in every row: their entries exist only while they are open
  const [open, setOpen] = useState(false)

  const place = () => {
    if (!button.current || !menu.current) return
    const anchor = button.current.getBoundingClientRect()
    const { offsetWidth: width, offsetHeight: height } = menu.current
    const left = align === "start" ? anchor.left : anchor.right - width
    const below = anchor.bottom + GAP
    const top = below + height > innerHeight - GAP ? anchor.top - height - GAP : below
    menu.current.style.left = `${Math.max(GAP, Math.min(left, innerWidth - width - GAP))}px`
    menu.current.style.top = `${Math.max(GAP, top)}px`
    menu.current.querySelector<HTMLElement>("[role=menuitem]")?.focus()
  }

  const steer = (event: KeyboardEvent) => {
    const entries = [...(menu.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])]
    const here = entries.indexOf(document.activeElement as HTMLElement)
    const goals: Record<string, number> = {
      ArrowDown: (here + 1) % entries.length,
      ArrowUp: (here - 1 + entries.length) % entries.length,
      Home: 0,
      End: entries.length - 1,
    }
    const goal = goals[event.key]
    if (event.key === "Tab") menu.current?.hidePopover()
    if (goal === undefined) return
    event.preventDefault()
    entries[goal]?.focus()
  }

  return (
    <>
      <button
        ref={button}
        type="button"
        popoverTarget={id}
        aria-haspopup="menu"
        aria-label={named ? undefined : label}
        title={named ? undefined : label}
        className={className}
      >
        {children}
      </button>
      <div
        ref={menu}
        id={id}
        popover="auto"
        role="menu"
        aria-label={label}
        tabIndex={-1}
        onBeforeToggle={(event) => setOpen(event.newState === "open")}
        onToggle={(event) => {
          if (event.newState === "open") place()
        }}
        onKeyDown={steer}
        className="fixed min-w-48 rounded-lg border border-line bg-raised p-1 shadow-2"
      >
        {open && header}
        {(open ? items : []).map((item, index) =>
          item === "line" ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines have no name and never move
            <hr key={`line-${index}`} className="my-1 border-line" />
          ) : (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              onClick={() => {
                menu.current?.hidePopover()
                item.onSelect()
              }}
              className={`flex h-9 w-full items-center gap-2.5 rounded-md px-2.5 text-sm focus:bg-hover focus:outline-none hover:bg-hover touch:h-11 [&_svg]:size-4 [&_svg]:text-faint ${item.danger ? "text-rose [&_svg]:text-rose" : ""}`}
            >
              {item.icon}
              <span className="flex-1 text-left">{item.label}</span>
              {item.hint && <span className="text-xs text-faint">{item.hint}</span>}
            </button>
          ),
        )}
      </div>
    </>
  )
}
