import "@fontsource-variable/hanken-grotesk/wght.css"
import "@fontsource-variable/newsreader/opsz.css"
import "@fontsource-variable/newsreader/wght-italic.css"
import "@fontsource-variable/jetbrains-mono/wght.css"
import "./theme/index.css"
import { QueryClient, QueryClientProvider } from "@tanstack/react-query"
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { ApiError } from "@/api/client"
import { App } from "./App"

const queries = new QueryClient({
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
