import { useQueryClient } from "@tanstack/react-query"
import {
  type ComponentType,
  lazy,
  Suspense,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react"
import { ConversationPage } from "@/chat/ConversationPage"
import { Boundary } from "@/parts/Boundary"
import { Empty, Waiting } from "@/parts/States"
import { type Route, type RouteName, useRoute } from "@/router"
import { meKey, useAccount } from "@/session"
import { ChatProvider } from "@/store/react"
import { type Message, Progress } from "@/store/tree"
import { Archived } from "./Archived"
import { conversationsKey } from "./conversations"
import { Help } from "./Help"
import { Palette } from "./Palette"
import { LayoutContext } from "./layout"
import { Sidebar } from "./Sidebar"
import { listenForShortcuts, useShortcut } from "./shortcuts"

const Settings = lazy(() => import("@/settings/Settings"))
const Projections = lazy(() => import("@/admin/Projections"))
const Log = lazy(() => import("@/admin/Log"))
const Skills = lazy(() => import("@/admin/Skills"))
const Learning = lazy(() => import("@/admin/Learning"))
const Policies = lazy(() => import("@/admin/Policies"))

/** The console: what each place shows, to admins alone. */
const consolePlaces: Partial<Record<RouteName, ComponentType>> = {
  projections: Projections,
  log: Log,
  skills: Skills,
  learning: Learning,
  policies: Policies,
}

const SOON = 600

const hiddenKey = "liminal.sidebar"
const wide = matchMedia("(min-width: 64rem)")

export default function Shell() {
  const account = useAccount()
  const queries = useQueryClient()
  const [spoken, setSpoken] = useState("")
  const events = useMemo(
    () => ({
      finished: (message: Message) => setSpoken(spokenWords(message)),
      lost: (id: string) => void queries.invalidateQueries({ queryKey: ["messages", id] }),
      news: () => {
        const look = () => void queries.invalidateQueries({ queryKey: conversationsKey })
        look()
        // the list is folded from the log and may be a moment behind it
        setTimeout(look, SOON)
      },
      doubt: () => void queries.invalidateQueries({ queryKey: meKey }),
      signedOut: () => void queries.invalidateQueries({ queryKey: meKey }),
    }),
    [queries],
  )
  return (
    <ChatProvider accountId={account.id} events={events}>
      <Rooms />
      <p aria-live="polite" className="sr-only">
        {spoken}
      </p>
    </ChatProvider>
  )
}

/** What a screen reader says of an answer: the whole of it, once, when it has ended. */
function spokenWords({ progress, content, failure }: Message): string {
  if (progress === Progress.Failed) return `The answer failed. ${failure?.message ?? ""}`
  return progress === Progress.Stopped ? `Stopped. ${content}` : content
}

function Rooms() {
  const route = useRoute()
  const [shown, setShown] = useState(() => localStorage.getItem(hiddenKey) !== "hidden")
  const [drawer, setDrawer] = useState(false)
  const [panel, setPanel] = useState<"search" | "help" | null>(null)

  const toggle = useCallback(() => {
    if (!wide.matches) return setDrawer((open) => !open)
    setShown((before) => {
      localStorage.setItem(hiddenKey, before ? "hidden" : "shown")
      return !before
    })
  }, [])

  useEffect(listenForShortcuts, [])
  useShortcut("search", () => setPanel("search"))
  useShortcut("help", () => setPanel("help"))
  useShortcut("sidebar", toggle)

  const place = route.path
  // biome-ignore lint/correctness/useExhaustiveDependencies: going somewhere closes the drawer
  useEffect(() => setDrawer(false), [place])

  return (
    <LayoutContext value={{ sidebarShown: shown, toggleSidebar: toggle }}>
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-raised focus:px-4 focus:py-2"
      >
        Skip to content
      </a>
      <div className="flex h-full">
        {shown && (
          <div className="hidden w-68 shrink-0 border-r border-line lg:block">
            <Sidebar onHide={toggle} />
          </div>
        )}
        {drawer && <Drawer onClose={() => setDrawer(false)} />}
        <main id="main" tabIndex={-1} className="min-w-0 flex-1 bg-sheet outline-none">
          <Boundary place={route.path}>
            <Suspense fallback={<Waiting />}>
              <Room route={route} />
            </Suspense>
          </Boundary>
        </main>
      </div>
      {panel === "search" && <Palette onClose={() => setPanel(null)} />}
      {panel === "help" && <Help onClose={() => setPanel(null)} />}
    </LayoutContext>
  )
}

function Room({ route }: { route: Route }) {
  const { role } = useAccount()
  switch (route.name) {
    case "home":
    case "conversation":
      return <ConversationPage id={route.params.id ?? null} />
    case "archive":
      return <Archived />
    case "settings":
      return <Settings section={route.params.section ?? "account"} />
    default: {
      const Place = role === "admin" ? consolePlaces[route.name] : undefined
      return Place ? <Place /> : <Nowhere />
    }
  }
}

function Nowhere() {
  return (
    <div className="grid h-full place-items-center">
      <Empty title="This door leads nowhere">
        The address is wrong, or the page is not for you.
      </Empty>
    </div>
  )
}

function Drawer({ onClose }: { onClose: () => void }) {
  const ref = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    ref.current?.showModal()
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog; the click is on the backdrop
    <dialog
      ref={ref}
      aria-label="Conversations"
      onClose={onClose}
      onClick={(event) => event.target === ref.current && onClose()}
      className="m-0 h-dvh max-h-dvh w-[min(20rem,86vw)] border-r border-line bg-ground p-0 shadow-2"
    >
      <Sidebar onHide={onClose} />
    </dialog>
  )
}
