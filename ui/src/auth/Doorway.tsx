import type { ReactNode } from "react"
import { Wordmark } from "@/parts/Door"
import { Threshold } from "./Threshold"

/** The page of whoever is not yet let in: a form, and the picture beside it. */
export function Doorway({ children }: { children: ReactNode }) {
  return (
    <div className="grid h-full overflow-y-auto bg-sheet lg:grid-cols-[minmax(26rem,1fr)_minmax(0,1.15fr)]">
      <aside className="relative h-44 overflow-hidden sm:h-56 lg:order-2 lg:h-full">
        <Threshold className="absolute inset-0 size-full" />
        <p className="absolute right-10 bottom-10 left-10 hidden max-w-md font-serif text-3xl leading-[1.12] font-[340] tracking-[-0.02em] text-[#fdf3e0] text-balance lg:block">
          A chat that learns from the people who use it.
        </p>
      </aside>
      <main className="flex flex-col px-6 py-8 sm:px-12 lg:overflow-y-auto lg:px-[max(3rem,12%)] lg:py-10">
        <Wordmark className="text-lg" />
        <div className="my-auto w-full max-w-sm py-10">{children}</div>
      </main>
    </div>
  )
}

export function Title({ children, below }: { children: string; below: string }) {
  return (
    <header className="settle mb-8">
      <h1 className="font-serif text-3xl leading-tight font-[380] tracking-[-0.022em]">
        {children}
      </h1>
      <p className="mt-2 text-base text-soft">{below}</p>
    </header>
  )
}
