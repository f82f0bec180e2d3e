import "@fontsource-variable/hanken-grotesk/wght.css"
import "@fontsource-variable/newsreader/opsz.css"
import "@fontsource-variable/newsreader/wght-italic.css"
import "@fontsource-variable/jetbrains-mono/wght.css"
import "./theme/index.css"
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query"
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { ApiError, hasCode } from "@/api/client"
import { App } from "./App"
import { meKey } from "./session"

/** What the server says once a session is not what it was: who one is gets asked anew. */
const outdated = ["not_authenticated", "account_suspended", "second_factor_missing"]

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (outdated.some((code) => hasCode(error, code)))
        void queries.invalidateQueries({ queryKey: meKey })
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      // what the server refused, it refuses again; only a lost network is worth another try
      retry: (failures, error) =>
        failures < 2 && !(error instanceof ApiError && error.status < 500),
    },
  },
})

const root = document.getElementById("root")
if (!root) throw new Error("index.html has no #root")
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
)
