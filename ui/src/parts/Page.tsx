import { type ReactNode, useEffect } from "react"
import { TopBar } from "@/shell/TopBar"

interface Props {
  /** The name of the place, in the window's title and the bar. */
  title: string
  /** What there is to say of it now; the page's heading. */
  heading: ReactNode
  about?: ReactNode
  /** Stands across from the heading. */
  aside?: ReactNode
  bar?: ReactNode
  children: ReactNode
}

/** A room of the console: a heading that says how things stand, and what follows from it. */
export function Page({ title, heading, about, aside, bar, children }: Props) {
  useEffect(() => {
    document.title = `${title} · liminal`
  }, [title])
  return (
    <div className="flex h-full flex-col">
      <TopBar title={title} plain>
        {bar}
      </TopBar>
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto max-w-5xl px-4 pt-4 pb-20 sm:px-8">
          <header className="mb-7 flex flex-wrap items-end justify-between gap-4">
            <div className="max-w-2xl">
              <h1 className="font-serif text-2xl font-[400] tracking-[-0.018em]">{heading}</h1>
              {about && <p className="mt-1 text-sm text-faint">{about}</p>}
            </div>
            {aside}
          </header>
          {children}
        </div>
      </div>
    </div>
  )
}

/** A part of a page under a small heading. */
export function Part({
  title,
  about,
  aside,
  children,
}: {
  title: string
  about?: ReactNode
  aside?: ReactNode
  children: ReactNode
}) {
  return (
    <section className="mt-11 first:mt-0">
      <div className="mb-2.5 flex flex-wrap items-end justify-between gap-x-6 gap-y-2">
        <div className="max-w-xl">
          <h2 className="text-base font-[600]">{title}</h2>
          {about && <p className="mt-0.5 text-sm text-faint">{about}</p>}
        </div>
        {aside}
      </div>
      {children}
    </section>
  )
}
