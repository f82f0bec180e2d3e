import { useQuery } from "@tanstack/react-query"
import { PanelLeft, RotateCw, WifiOff } from "lucide-react"
import { type ReactNode, useId } from "react"
import { system } from "@/api/calls"
import { IconButton } from "@/parts/Button"
import { Link as Socket } from "@/store/link"
import { useClient, useLink } from "@/store/react"
import { useLayout } from "./layout"
import { shownHint } from "./shortcuts"

interface Props {
  title: string
  /** The room has a heading of its own below. */
  plain?: boolean
  children?: ReactNode
}

/** The line at the head of every room: where one is, and whether all is well. */
export function TopBar({ title, plain, children }: Props) {
  const Title = plain || !title ? "div" : "h1"
  const { sidebarShown, toggleSidebar } = useLayout()
  return (
    <header className="flex h-14 shrink-0 items-center gap-2 px-3 sm:px-4">
      <IconButton
        label="Show the list"
        hint={shownHint("sidebar")}
        onClick={toggleSidebar}
        className={sidebarShown ? "lg:hidden" : ""}
      >
        <PanelLeft />
      </IconButton>
      <Title className="min-w-0 flex-1 truncate text-sm font-[550] text-soft">{title}</Title>
      {children}
      <Connection />
      <ModelBadge />
    </header>
  )
}

/** Says something only when something is wrong. */
function Connection() {
  const link = useLink()
  const client = useClient()
  const look =
    "flex h-7 items-center gap-1.5 rounded-full bg-lamp-wash px-3 text-xs font-[550] text-lamp-ink [&_svg]:size-3.5"
  return (
    <div role="status">
      {(link === Socket.Waiting || link === Socket.Offline) && (
        <button type="button" className={look} onClick={() => client.reconnect()}>
          {link === Socket.Offline ? <WifiOff /> : <RotateCw className="animate-spin" />}
          {link === Socket.Offline ? "Offline" : "Reconnecting"}
        </button>
      )}
      {link === Socket.Replaced && (
        <button type="button" className={look} onClick={() => client.reconnect()}>
          Open in another window. Use this one
        </button>
      )}
    </div>
  )
}

const statusKey = ["status"] as const
const SLOWLY = 60_000
const SOON = 3_000

function ModelBadge() {
  const id = useId()
  const status = useQuery({
    queryKey: statusKey,
    queryFn: system.status,
    refetchInterval: ({ state }) => (state.data?.state === "ready" ? SLOWLY : SOON),
  })
  if (!status.data) return null
  const { state, model } = status.data
  const words = badgeWords(state, model)
  if (words === null) return null
  return (
    <>
      <button
        type="button"
        popoverTarget={id}
        className="h-7 max-w-48 truncate rounded-full border border-line px-3 text-xs text-faint hover:border-line-strong hover:text-ink"
      >
        {words.short}
      </button>
      <div
        id={id}
        popover="auto"
        className="fixed top-13 right-4 left-auto w-80 max-w-[calc(100vw-2rem)] rounded-lg border border-line bg-raised p-4 text-sm text-soft shadow-2"
      >
        <p className="mb-1 font-semibold text-ink">{words.title}</p>
        <p>{words.long}</p>
        {model && <p className="mt-2 font-mono text-xs text-faint">{model.id}</p>}
      </div>
    </>
  )
}

type Model = { id: string; notice: string | null } | null

function badgeWords(state: string, model: Model) {
  if (state === "loading")
    return {
      short: "Model loading",
      title: "The model is on its way",
      long: "Its weights are being read. Questions wait until it answers.",
    }
  if (!model)
    return {
      short: "No model",
      title: "Nothing answers here yet",
      long: "No model is being served. Questions fail until one is, and can be asked again then.",
    }
  if (!model.notice) return null
  return { short: "Small model", title: "A small model answers", long: model.notice }
}
