import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query"
import { Monitor, Smartphone, Terminal } from "lucide-react"
import { accounts } from "@/api/calls"
import type { Session } from "@/api/types"
import { Button } from "@/parts/Button"
import { Chip } from "@/parts/Small"
import { Bars, Failed } from "@/parts/States"
import { toast } from "@/parts/Toasts"
import { ago } from "@/parts/time"

const key = ["sessions"] as const

const browsers: [RegExp, string][] = [
  [/Edg\//, "Edge"],
  [/Firefox\//, "Firefox"],
  [/Chrome\//, "Chrome"],
  [/Safari\//, "Safari"],
]
const systems: [RegExp, string][] = [
  [/iPhone|iPad/, "iOS"],
  [/Android/, "Android"],
  [/Mac OS X/, "macOS"],
  [/Windows/, "Windows"],
  [/Linux/, "Linux"],
]
const named = (table: [RegExp, string][], text: string) =>
  table.find(([sign]) => sign.test(text))?.[1]

/** What a user agent string says, in words. */
export function deviceOf(userAgent: string): string {
  const browser = named(browsers, userAgent)
  const system = named(systems, userAgent)
  if (browser && system) return `${browser} on ${system}`
  return browser ?? (userAgent || "Unknown client")
}

export function Sessions() {
  const list = useQuery({ queryKey: key, queryFn: accounts.sessions })
  if (list.isPending) return <Bars rows={4} />
  if (list.isError)
    return <Failed what="No list" error={list.error} onRetry={() => list.refetch()} />
  return (
    <ul>
      {list.data.items.map((each) => (
        <Row key={each.id} session={each} />
      ))}
    </ul>
  )
}

function Row({ session }: { session: Session }) {
  const queries = useQueryClient()
  const end = useMutation({
    mutationFn: () => accounts.endSession(session.id),
    onSuccess: () => queries.invalidateQueries({ queryKey: key }),
    onError: () => toast("The session was not ended.", { look: "error" }),
  })
  const Icon =
    session.kind === "token" ? Terminal : /Mobile/.test(session.user_agent) ? Smartphone : Monitor
  return (
    <li className="flex items-center gap-4 border-t border-line py-4">
      <Icon className="size-5 shrink-0 text-faint" />
      <div className="min-w-0 flex-1">
        <p className="flex items-center gap-2 truncate">
          {deviceOf(session.user_agent)}
          {session.current && <Chip look="moss">This one</Chip>}
          {session.kind === "token" && <Chip>API</Chip>}
        </p>
        <p className="text-sm text-faint">
          {session.address} · last used {ago(session.last_used_at)} · since{" "}
          {ago(session.created_at)}
        </p>
      </div>
      {!session.current && (
        <Button small look="danger" busy={end.isPending} onClick={() => end.mutate()}>
          End
        </Button>
      )}
    </li>
  )
}
