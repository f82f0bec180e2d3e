import { useAui } from "@assistant-ui/react"
import type { ReactNode } from "react"
import { useAccount } from "@/session"
import { Lamplight } from "./Lamplight"

const starters = [
  "Explain what a threshold is, in three sentences.",
  "Plan a quiet weekend for two, without a car.",
  "What makes a good question?",
] as const

function partOfDay(hour: number): string {
  if (hour < 5) return "Still up"
  if (hour < 12) return "Good morning"
  if (hour < 18) return "Good afternoon"
  return "Good evening"
}

/** The empty page: one line of welcome, where to write, and a few ways to begin. */
export function Greeting({ children }: { children: ReactNode }) {
  const { display_name } = useAccount()
  const aui = useAui()
  const name = display_name?.split(" ")[0]
  return (
    <div className="@container/home relative min-h-0 flex-1 overflow-x-hidden overflow-y-auto">
      <Lamplight />
      <div className="relative mx-auto flex min-h-full w-full max-w-[44rem] flex-col justify-center px-4 pt-6 pb-[14vh] @min-[64rem]/home:ml-[max(2rem,7cqw)]">
        <h1 className="settle mb-8 px-1 font-serif text-3xl leading-[1.08] font-[340] tracking-[-0.024em] sm:text-4xl">
          {partOfDay(new Date().getHours())}
          {name ? `, ${name}` : ""}
        </h1>
        <div className="settle settle-1">{children}</div>
        <ul className="settle settle-2 mt-6 flex flex-col items-start gap-1 px-1">
          {starters.map((text) => (
            <li key={text}>
              <button
                type="button"
                onClick={() => {
                  aui.composer.setText(text)
                  document.querySelector<HTMLElement>("[data-composer]")?.focus()
                }}
                className="rounded-sm py-1 text-left font-serif text-lg text-faint italic transition-colors hover:text-ink"
              >
                {text}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </div>
  )
}
