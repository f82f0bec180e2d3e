import { useQuery } from "@tanstack/react-query"
import { Lamp, MessageSquareText, Moon, Search, Settings, SquarePen, Sun } from "lucide-react"
import {
  type KeyboardEvent,
  type ReactNode,
  useDeferredValue,
  useId,
  useRef,
  useState,
} from "react"
import { conversations } from "@/api/calls"
import { Dialog } from "@/parts/Dialog"
import { ago } from "@/parts/time"
import { navigate } from "@/router"
import { useAccount } from "@/session"
import { setTheme } from "@/theme/theme"
import { consoleMenu } from "./console"
import { titleOf, useConversations } from "./conversations"

interface Entry {
  id: string
  icon: ReactNode
  label: string
  detail?: ReactNode
  aside?: string
  run: () => void
}

const matching = (text: string, words: string) => text.toLowerCase().includes(words.toLowerCase())

function useCommands(): Entry[] {
  const { role } = useAccount()
  const go = (id: string, icon: ReactNode, label: string, path: string): Entry => ({
    id,
    icon,
    label,
    run: () => navigate(path),
  })
  return [
    go("new", <SquarePen />, "New conversation", "/"),
    go("settings", <Settings />, "Settings", "/settings"),
    go("learned", <Lamp />, "What liminal has learned", "/settings/learned"),
    { id: "dark", icon: <Moon />, label: "Dark theme", run: () => setTheme("dark") },
    { id: "light", icon: <Sun />, label: "Light theme", run: () => setTheme("light") },
    ...(role === "admin"
      ? consoleMenu.map(({ id, icon, label, path }) => go(id, icon, label, path))
      : []),
  ]
}

/** Search over everything that was said, and every place there is, behind one key. */
export function Palette({ onClose }: { onClose: () => void }) {
  const [words, setWords] = useState("")
  const [chosen, setChosen] = useState(0)
  const asked = useDeferredValue(words.trim())
  const list = useRef<HTMLDivElement>(null)
  const id = useId()
  const recent = useConversations(false).items
  const commands = useCommands().filter(({ label }) => matching(label, words.trim()))
  const hits = useQuery({
    queryKey: ["search", asked],
    queryFn: () => conversations.search(asked),
    enabled: asked.length > 1,
    placeholderData: (before) => before,
  })

  const titled: Entry[] = recent
    .filter((each) => matching(titleOf(each), words.trim()))
    .slice(0, asked ? 4 : 6)
    .map((each) => ({
      id: each.id,
      icon: <MessageSquareText />,
      label: titleOf(each),
      aside: ago(each.last_message_at ?? each.created_at),
      run: () => navigate(`/c/${each.id}`),
    }))
  const found: Entry[] = (asked.length > 1 ? (hits.data?.items ?? []) : []).map((hit) => ({
    id: hit.message_id,
    icon: <Search />,
    label: titleOf(hit),
    detail: <Snippet text={hit.snippet} />,
    aside: ago(hit.created_at),
    run: () => navigate(`/c/${hit.conversation_id}#${hit.message_id}`),
  }))
  const entries = [...titled, ...found, ...commands]
  const current = Math.min(chosen, entries.length - 1)

  const steer = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (event.key === "Enter" && !event.nativeEvent.isComposing) {
      event.preventDefault()
      onClose()
      entries[current]?.run()
    }
    if (step === undefined) return
    event.preventDefault()
    const next = (current + step + entries.length) % entries.length
    setChosen(next)
    list.current?.children[next]?.scrollIntoView({ block: "nearest" })
  }

  return (
    <Dialog title="Search" hideTitle width="medium" high onClose={onClose}>
      <div className="flex items-center gap-3 border-b border-line px-5">
        <Search className="size-4.5 text-faint" />
        <input
          role="combobox"
          aria-label="Search conversations and commands"
          aria-expanded="true"
          aria-controls={id}
          aria-activedescendant={entries[current] ? `${id}-${current}` : undefined}
          value={words}
          onChange={(event) => {
            setWords(event.target.value)
            setChosen(0)
          }}
          onKeyDown={steer}
          placeholder="Search what was said, or go somewhere"
          className="h-14 w-full bg-transparent text-lg outline-none placeholder:text-faint"
        />
      </div>
      <div
        ref={list}
        id={id}
        role="listbox"
        aria-label="Results"
        className="max-h-[52vh] overflow-y-auto p-2"
      >
        {entries.map((entry, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: keys are steered from the input (combobox)
          <div
            key={entry.id}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === current}
            onMouseMove={() => setChosen(index)}
            onClick={() => {
              onClose()
              entry.run()
            }}
            className="flex cursor-pointer items-start gap-3 rounded-md px-3 py-2.5 text-base aria-selected:bg-hover [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:shrink-0 [&>svg]:text-faint"
          >
            {entry.icon}
            <span className="min-w-0 flex-1">
              <span className="block truncate">{entry.label}</span>
              {entry.detail}
            </span>
            {entry.aside && (
              <span className="mt-0.5 shrink-0 text-xs text-faint">{entry.aside}</span>
            )}
          </div>
        ))}
        {entries.length === 0 && (
          <div className="px-3 py-8 text-center text-sm text-faint">
            {hits.isError
              ? "Search doesn't answer just now."
              : "Nothing was said with these words."}
          </div>
        )}
      </div>
    </Dialog>
  )
}

/** The server marks what matched with U+0002 and U+0003. */
const pieces = (text: string) => text.replaceAll("\u0003", "\u0002").split("\u0002")

function Snippet({ text }: { text: string }) {
  return (
    <span className="mt-0.5 line-clamp-2 block text-sm text-faint">
      {pieces(text).map((part, index) =>
        index % 2 === 1 ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces of one text in order
          <mark key={index} className="rounded-xs bg-lamp/35 text-ink">
            {part}
          </mark>
        ) : (
          part
        ),
      )}
    </span>
  )
}
