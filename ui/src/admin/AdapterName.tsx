const SHOWN = 8

interface Props {
  id: string
  name: string | null
  scope: string
}

/** What an adapter is called in the console: a person's own is named by an id, not by who it is. */
export function AdapterName({ id, name, scope }: Props) {
  if (name === null || !name.startsWith("persona-"))
    return <span className="font-serif text-lg leading-tight font-[480]">{name ?? "Adapter"}</span>
  return (
    <span className="flex items-baseline gap-2">
      <span className="font-serif text-lg leading-tight font-[480]">
        {scope === "user" ? "Habits of one person" : "Habits"}
      </span>
      <span className="font-mono text-xs text-faint" title={name}>
        {id.slice(0, SHOWN)}
      </span>
    </span>
  )
}
