import { useQueryClient } from "@tanstack/react-query"
import { lazy, Suspense, useEffect, useRef } from "react"
import { Toasts } from "@/parts/Toasts"
import { Boundary } from "@/parts/Boundary"
import { Failed, Waiting } from "@/parts/States"
import { navigate, type RouteName, useRoute } from "./router"
import { AccountProvider, meKey, useMe } from "./session"

const Auth = lazy(() => import("./auth/Auth"))
const Owed = lazy(() => import("./auth/Owed"))
const Shell = lazy(() => import("./shell/Shell"))

const outsideModes: Partial<Record<RouteName, "in" | "up" | "reset">> = {
  signIn: "in",
  signUp: "up",
  reset: "reset",
}

/** Either the doorway or the room behind it. */
export function App() {
  const me = useMe()
  const route = useRoute()
  const queries = useQueryClient()
  const outside = outsideModes[route.name]
  const wanted = useRef("/")

  useEffect(() => {
    if (me.data === undefined) return
    if (me.data === null && !outside) {
      wanted.current = location.pathname + location.search
      navigate("/signin", "replace")
    }
    if (me.data && outside) {
      navigate(wanted.current, "replace")
      wanted.current = "/"
    }
  }, [me.data, outside])

  if (me.isError)
    return (
      <main className="grid h-full place-items-center">
        <Failed what="liminal can't be reached" error={me.error} onRetry={() => me.refetch()} />
      </main>
    )
  if (me.data === undefined) return <Waiting />
  return (
    <Boundary place={route.path}>
      <Suspense fallback={<Waiting />}>
        {me.data === null ? (
          <Auth
            mode={outside ?? "in"}
            onSignedIn={(account) => {
              // nothing that was fetched for someone else may show
              queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== meKey[0] })
              queries.setQueryData(meKey, account)
            }}
          />
        ) : (
          <AccountProvider value={me.data}>
            {me.data.owes_second_factor ? <Owed /> : <Shell key={me.data.id} />}
          </AccountProvider>
        )}
        <Toasts />
      </Suspense>
    </Boundary>
  )
}
