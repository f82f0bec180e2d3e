import { KeyRound, Lamp, MonitorSmartphone, Palette, UserRound } from "lucide-react"
import { type ComponentType, useEffect } from "react"
import { Learned } from "@/learning/Learned"
import { Link } from "@/parts/Link"
import { Empty } from "@/parts/States"
import { TopBar } from "@/shell/TopBar"
import { AccountSection } from "./AccountSection"
import { ApiKeys } from "./ApiKeys"
import { Appearance } from "./Appearance"
import { Sessions } from "./Sessions"

interface Section {
  title: string
  icon: ComponentType
  view: ComponentType
}

const sections: Record<string, Section> = {
  account: { title: "Account", icon: UserRound, view: AccountSection },
  learned: { title: "What liminal has learned", icon: Lamp, view: Learned },
  appearance: { title: "Appearance and keys", icon: Palette, view: Appearance },
  sessions: { title: "Sessions", icon: MonitorSmartphone, view: Sessions },
  "api-keys": { title: "API keys", icon: KeyRound, view: ApiKeys },
}

/** On a phone the sections lie in a row that is longer than the screen. */
const intoView = (link: HTMLAnchorElement | null) => {
  // newer browsers return a promise here, which must not become the ref's cleanup
  link?.scrollIntoView({ block: "nearest", inline: "center" })
}

export default function Settings({ section }: { section: string }) {
  const chosen = sections[section]
  useEffect(() => {
    document.title = `${chosen?.title ?? "Settings"} · liminal`
  }, [chosen])
  return (
    <div className="flex h-full flex-col">
      <TopBar title="Settings" plain />
      <div className="min-h-0 flex-1 overflow-y-auto">
        <div className="mx-auto flex w-full max-w-5xl flex-col gap-x-14 gap-y-6 px-4 pt-4 pb-20 sm:px-8 md:flex-row md:pt-8">
          <nav aria-label="Settings" className="shrink-0 md:w-52">
            <ul className="-mx-2 flex gap-0.5 overflow-x-auto px-2 md:flex-col">
              {Object.entries(sections).map(([name, { title, icon: Icon }]) => (
                <li key={name}>
                  <Link
                    ref={name === section ? intoView : undefined}
                    href={`/settings/${name}`}
                    aria-current={name === section ? "page" : undefined}
                    className="flex h-9 items-center gap-2.5 rounded-md px-2.5 text-sm whitespace-nowrap text-soft hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:font-[550] aria-[current=page]:text-ink touch:h-11 [&_svg]:size-4"
                  >
                    <Icon />
                    {title}
                  </Link>
                </li>
              ))}
            </ul>
          </nav>
          <div className="min-w-0 flex-1">
            {chosen ? (
              <>
                <h1 className="mb-6 font-serif text-2xl font-[400] tracking-[-0.018em]">
                  {chosen.title}
                </h1>
                <chosen.view />
              </>
            ) : (
              <Empty title="There is no such setting" />
            )}
          </div>
        </div>
      </div>
    </div>
  )
}
