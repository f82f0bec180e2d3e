import { useQueryClient } from "@tanstack/react-query"
import { lazy, Suspense, useEffect } from "react"
import { Toasts } from "@/parts/Toasts"
import { Failed, Waiting } from "@/parts/States"
import { navigate, useRoute } from "./router"
import { AccountProvider, meKey, useMe } from "./session"

const Auth = lazy(() => import("./auth/Auth"))
const Shell = lazy(() => import("./shell/Shell"))

/** Either the doorway or the room behind it. */
export function App() {
  const me = useMe()
  const route = useRoute()
  const queries = useQueryClient()
  const outside = route.name === "signIn" || route.name === "signUp"

  useEffect(() => {
    if (me.data === undefined) return
    if (me.data === null && !outside) navigate("/signin", "replace")
    if (me.data && outside) navigate("/", "replace")
  }, [me.data, outside])

  if (me.isError)
    return (
      <main className="grid h-full place-items-center">
        <Failed what="liminal can't be reached" error={me.error} onRetry={() => me.refetch()} />
      </main>
    )
  if (me.data === undefined) return <Waiting />
  return (
    <Suspense fallback={<Waiting />}>
      {me.data === null ? (
        <Auth
          mode={route.name === "signUp" ? "up" : "in"}
          onSignedIn={(account) => queries.setQueryData(meKey, account)}
        />
      ) : (
        <AccountProvider value={me.data}>
          <Shell key={me.data.id} />
        </AccountProvider>
      )}
      <Toasts />
    </Suspense>
  )
}
