import tailwindcss from "@tailwindcss/vite"
import react from "@vitejs/plugin-react"
import type { Plugin } from "vite"
import { defineConfig } from "vitest/config"
import pages from "./pages.json"

/** KaTeX names each font three times; every browser this interface supports reads woff2. */
function woff2Only(): Plugin {
  return {
    name: "woff2-only",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("katex") || !id.endsWith(".css")) return null
      return code.replace(/,url\([^)]+\.(?:woff|ttf)\) format\("[a-z]+"\)/g, "")
    },
  }
}

/** The server answers these addresses with the interface, and 404 to others. */
function pageTable(): Plugin {
  return {
    name: "page-table",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "pages.json", source: JSON.stringify(pages) })
    },
  }
}

const server = process.env.LIMINAL_URL ?? "http://127.0.0.1:8800"

export default defineConfig({
  plugins: [woff2Only(), pageTable(), react(), tailwindcss()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  build: {
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    manifest: true,
  },
  server: { proxy: { "/v1": { target: server, ws: true, changeOrigin: false } } },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
})
