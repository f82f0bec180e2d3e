import {
  Archive,
  Keyboard,
  LogOut,
  MoreHorizontal,
  PanelLeftClose,
  PencilLine,
  Search,
  Settings,
  SquarePen,
  Trash2,
} from "lucide-react"
import { type FormEvent, useEffect, useRef, useState } from "react"
import type { Conversation } from "@/api/types"
import { IconButton } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { Wordmark } from "@/parts/Door"
import { Link } from "@/parts/Link"
import { Menu } from "@/parts/Menu"
import { Initials, Kbd } from "@/parts/Small"
import { Bars, Failed } from "@/parts/States"
import { toast } from "@/parts/Toasts"
import { era } from "@/parts/time"
import { navigate, useRoute } from "@/router"
import { nameOf, useAccount } from "@/session"
import { consoleMenu } from "./console"
import { useArchive, useConversations, useRemove, useRename, titleOf } from "./conversations"
import { runShortcut, shownHint, shownKeys } from "./shortcuts"
import { useSignOut } from "./signOut"

export function Sidebar({ onHide }: { onHide: () => void }) {
  return (
    <nav aria-label="Conversations" className="flex h-full flex-col bg-ground">
      <div className="flex items-center justify-between py-3 pr-2 pl-4">
        <Link href="/" className="rounded-md" aria-label="liminal, new conversation">
          <Wordmark className="text-base" />
        </Link>
        <IconButton label="Hide the list" hint={shownHint("sidebar")} onClick={onHide}>
          <PanelLeftClose />
        </IconButton>
      </div>
      <div className="flex flex-col gap-0.5 px-2 pb-2">
        <Entry href="/" icon={<SquarePen />} label="New conversation" />
        <button
          type="button"
          onClick={() => runShortcut("search")}
          className="flex h-9 items-center gap-2.5 rounded-md px-2.5 text-sm text-soft hover:bg-hover hover:text-ink touch:h-11 [&_svg]:size-4"
        >
          <Search />
          <span className="flex-1 text-left">Search</span>
          <span className="flex gap-0.5 touch:hidden">
            {shownKeys("search").map((key) => (
              <Kbd key={key}>{key}</Kbd>
            ))}
          </span>
        </button>
      </div>
      <List />
      <Person />
    </nav>
  )
}

function Entry({ href, icon, label }: { href: string; icon: React.ReactNode; label: string }) {
  const { path } = useRoute()
  const here = path === href
  return (
    <Link
      href={href}
      aria-current={here ? "page" : undefined}
      className="flex h-9 items-center gap-2.5 rounded-md px-2.5 text-sm text-soft hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:text-ink touch:h-11 [&_svg]:size-4"
    >
      {icon}
      {label}
    </Link>
  )
}

function List() {
  const list = useConversations(false)
  const end = useRef<HTMLDivElement>(null)
  const { fetchNextPage, hasNextPage } = list
  useEffect(() => {
    if (!end.current || !hasNextPage) return
    const watcher = new IntersectionObserver(([entry]) => entry?.isIntersecting && fetchNextPage())
    watcher.observe(end.current)
    return () => watcher.disconnect()
  }, [fetchNextPage, hasNextPage])

  if (list.isPending) return <Bars rows={6} className="flex-1 px-5 pt-5" />
  if (list.isError && list.items.length === 0)
    return (
      <div className="flex-1">
        <Failed what="No list" error={list.error} onRetry={() => list.refetch()} />
      </div>
    )
  const eras = Map.groupBy(list.items, (each) => era(each.last_message_at ?? each.created_at))
  return (
    <div className="min-h-0 flex-1 overflow-y-auto px-2 pb-4">
      {list.items.length === 0 && (
        <p className="px-2.5 pt-6 text-sm text-faint">What you talk about will be kept here.</p>
      )}
      {[...eras].map(([name, items]) => (
        <section key={name} className="mt-4">
          <h2 className="px-2.5 pb-1 text-xs font-[550] text-faint">{name}</h2>
          <ul>
            {items.map((each) => (
              <Row key={each.id} conversation={each} />
            ))}
          </ul>
        </section>
      ))}
      <div ref={end} />
      <Link
        href="/archive"
        className="mt-5 flex h-8 items-center gap-2 rounded-md px-2.5 text-xs text-faint hover:bg-hover hover:text-ink [&_svg]:size-3.5"
      >
        <Archive />
        Archive
      </Link>
    </div>
  )
}

function Row({ conversation }: { conversation: Conversation }) {
  const { params, name } = useRoute()
  const [renaming, setRenaming] = useState(false)
  const [removing, setRemoving] = useState(false)
  const archive = useArchive()
  const remove = useRemove()
  const { id } = conversation
  const here = name === "conversation" && params.id === id
  const leave = () => here && navigate("/", "replace")

  if (renaming) return <Rename conversation={conversation} onDone={() => setRenaming(false)} />
  return (
    <li className="group/row relative">
      <Link
        href={`/c/${id}`}
        aria-current={here ? "page" : undefined}
        onDoubleClick={() => setRenaming(true)}
        className="block truncate rounded-md py-2 pr-9 pl-2.5 text-sm text-soft hover:bg-hover hover:text-ink aria-[current=page]:bg-sheet aria-[current=page]:font-[550] aria-[current=page]:text-ink aria-[current=page]:shadow-1 touch:py-3"
      >
        {titleOf(conversation)}
      </Link>
      <Menu
        label={`Options of ${titleOf(conversation)}`}
        className="absolute top-1/2 right-1 grid size-7 -translate-y-1/2 place-items-center rounded-md text-faint opacity-0 group-hover/row:opacity-100 hover:bg-hover hover:text-ink focus-visible:opacity-100 touch:size-10 touch:opacity-100 [&_svg]:size-4"
        items={[
          { label: "Rename", icon: <PencilLine />, onSelect: () => setRenaming(true) },
          {
            label: "Archive",
            icon: <Archive />,
            onSelect: () => {
              leave()
              archive.mutate({ id, value: true })
              toast("Moved to the archive.", {
                action: { label: "Undo", run: () => archive.mutate({ id, value: false }) },
              })
            },
          },
          "line",
          { label: "Delete", icon: <Trash2 />, danger: true, onSelect: () => setRemoving(true) },
        ]}
      >
        <MoreHorizontal />
      </Menu>
      {removing && (
        <Confirm
          title="Delete this conversation?"
          action="Delete"
          onClose={() => setRemoving(false)}
          onConfirm={() => {
            setRemoving(false)
            leave()
            remove.mutate({ id, value: null })
          }}
        >
          “{titleOf(conversation)}” and all its messages go from your list and from search.
        </Confirm>
      )}
    </li>
  )
}

function Rename({ conversation, onDone }: { conversation: Conversation; onDone: () => void }) {
  const [title, setTitle] = useState(titleOf(conversation))
  const rename = useRename()
  const save = (event?: FormEvent) => {
    event?.preventDefault()
    const value = title.trim()
    if (value && value !== conversation.title) rename.mutate({ id: conversation.id, value })
    onDone()
  }
  return (
    <li>
      <form onSubmit={save}>
        <input
          aria-label="Title"
          // biome-ignore lint/a11y/noAutofocus: the person asked to write here
          autoFocus
          maxLength={200}
          value={title}
          onFocus={(event) => event.target.select()}
          onChange={(event) => setTitle(event.target.value)}
          onBlur={() => save()}
          onKeyDown={(event) => {
            if (event.key === "Escape") onDone()
          }}
          className="w-full rounded-md border border-tide bg-raised px-2 py-1.5 text-sm outline-none"
        />
      </form>
    </li>
  )
}

function Person() {
  const account = useAccount()
  const signOut = useSignOut()
  const admin = account.role === "admin"
  return (
    <div className="border-t border-line p-2">
      <Menu
        label="Your account"
        named
        align="start"
        className="flex w-full items-center gap-2.5 rounded-md p-2 text-left text-sm hover:bg-hover"
        header={
          <p className="max-w-60 truncate px-2.5 pt-1.5 pb-2 text-xs text-faint">{account.email}</p>
        }
        items={[
          { label: "Settings", icon: <Settings />, onSelect: () => navigate("/settings") },
          {
            label: "Keyboard",
            icon: <Keyboard />,
            hint: shownHint("help"),
            onSelect: () => runShortcut("help"),
          },
          ...(admin
            ? [
                "line" as const,
                ...consoleMenu.map(({ label, icon, path }) => ({
                  label,
                  icon,
                  onSelect: () => navigate(path),
                })),
              ]
            : []),
          "line",
          { label: "Sign out", icon: <LogOut />, onSelect: signOut },
        ]}
      >
        <Initials name={nameOf(account)} />
        <span className="min-w-0 flex-1 truncate font-[550]">
          {nameOf(account)}
          <span className="sr-only">, your account</span>
        </span>
        <MoreHorizontal className="size-4 text-faint" />
      </Menu>
    </div>
  )
}
