import { PenLine, ShieldCheck, Sprout } from "lucide-react"
import type { ComponentType } from "react"
import { Link } from "@/parts/Link"

interface Step {
  icon: ComponentType
  title: string
  text: string
}

const steps: readonly Step[] = [
  {
    icon: PenLine,
    title: "You correct an answer",
    text: "Write it as it should have been, give a rule, or set a thumb. It stays yours, encrypted with a key of your own.",
  },
  {
    icon: Sprout,
    title: "A small adapter learns",
    text: "Once there is enough, a small set of numbers is trained beside the model. The model itself never changes.",
  },
  {
    icon: ShieldCheck,
    title: "It has to pass a gate",
    text: "Only an adapter that is better at what it has not seen, and forgets nothing, takes part in your next answer.",
  },
]

/** Before anything was learned: how it would come about. */
export function HowItLearns() {
  return (
    <section aria-labelledby="how-it-learns">
      <h2 id="how-it-learns" className="font-serif text-xl font-[450]">
        Nothing yet. This is how it begins
      </h2>
      <ol className="mt-5 grid gap-3 lg:grid-cols-3">
        {steps.map(({ icon: Icon, title, text }, index) => (
          <li
            key={title}
            className="relative overflow-hidden rounded-t-[3.5rem] rounded-b-lg border border-lamp-line bg-lamp-wash px-5 pt-9 pb-6 text-center"
          >
            <span className="mx-auto grid size-10 place-items-center rounded-t-full rounded-b-md bg-lamp/35 text-lamp-ink [&_svg]:mt-0.5 [&_svg]:size-4.5">
              <Icon />
            </span>
            <h3 className="mt-4 font-[600]">
              <span className="sr-only">{index + 1}. </span>
              {title}
            </h3>
            <p className="mt-1 text-sm text-balance text-soft">{text}</p>
          </li>
        ))}
      </ol>
      <p className="mt-6 text-sm text-faint">
        The signs are under every answer.{" "}
        <Link href="/" className="text-tide underline underline-offset-2">
          Ask something
        </Link>
      </p>
    </section>
  )
}
