import { Check, Pencil, Trash2, X } from "lucide-react"
import { type FormEvent, useState } from "react"
import { learning, type SkillChange } from "@/api/calls"
import type { Skill } from "@/api/types"
import { Button, IconButton } from "@/parts/Button"
import { Confirm } from "@/parts/Dialog"
import { Chip } from "@/parts/Small"
import { Toggle } from "@/settings/Group"
import { adaptersKey, learnedKey, useChange } from "./queries"
import { SkillState } from "./SkillState"
import { many, namedBy } from "./words"

const over = new Set<Skill["state"]>(["merged", "pruned"])

/** The person's own skills: approve, name, switch, retire. */
export function OwnSkills({ items }: { items: readonly Skill[] }) {
  return (
    <ul className="flex flex-col gap-3">
      {items
        .filter(({ state }) => !over.has(state))
        .map((skill) => (
          <Card key={skill.id} skill={skill} />
        ))}
    </ul>
  )
}

function Card({ skill }: { skill: Skill }) {
  const [renaming, setRenaming] = useState(false)
  const [removing, setRemoving] = useState(false)
  const change = useChange(
    (body: SkillChange) => learning.changeSkill(skill.id, body),
    learnedKey,
    adaptersKey,
  )
  const remove = useChange(() => learning.deleteSkill(skill.id), learnedKey, adaptersKey)
  const proposed = skill.state === "proposed"
  return (
    <li className="rounded-lg border border-line bg-raised px-5 py-4">
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-48 flex-1">
          {renaming ? (
            <RenameSkill
              skill={skill}
              onDone={(label) => {
                setRenaming(false)
                if (label && label !== skill.label) change.mutate({ label })
              }}
            />
          ) : (
            <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
              <span className="font-serif text-lg leading-tight font-[480]">{skill.label}</span>
              <SkillState skill={skill} />
            </p>
          )}
          <p className="mt-0.5 text-sm text-faint">
            from {many(skill.size, "piece")} of feedback,{" "}
            {namedBy(skill.label_source, skill.words, skill.label)}
            {skill.adapter?.version != null && `, version ${skill.adapter.version} in your answers`}
          </p>
        </div>
        <div className="flex items-center gap-1">
          {proposed && (
            <>
              <Button small look="lamp" onClick={() => change.mutate({ decision: "approve" })}>
                <Check className="size-3.5" /> Learn it
              </Button>
              <Button small look="plain" onClick={() => change.mutate({ decision: "reject" })}>
                <X className="size-3.5" /> Not this
              </Button>
            </>
          )}
          <IconButton label={`Rename ${skill.label}`} onClick={() => setRenaming(true)}>
            <Pencil />
          </IconButton>
          <IconButton label={`Delete ${skill.label}`} onClick={() => setRemoving(true)}>
            <Trash2 />
          </IconButton>
          {skill.state === "approved" && (
            <span className="ml-2">
              <Toggle
                label={`Use ${skill.label}`}
                on={skill.active}
                onChange={(active) => change.mutate({ active })}
              />
            </span>
          )}
        </div>
      </div>
      {removing && (
        <Confirm
          title="Delete this skill?"
          action="Delete"
          busy={remove.isPending}
          onClose={() => setRemoving(false)}
          onConfirm={() => remove.mutate(undefined, { onSettled: () => setRemoving(false) })}
        >
          “{skill.label}” takes part in no further answer. The feedback that it was learned from
          stays.
        </Confirm>
      )}
    </li>
  )
}

/** A skill's name as a field; nothing changes when it is left as it was. */
export function RenameSkill({ skill, onDone }: { skill: Skill; onDone: (label: string) => void }) {
  const [label, setLabel] = useState(skill.label)
  const save = (event?: FormEvent) => {
    event?.preventDefault()
    onDone(label.trim())
  }
  return (
    <form onSubmit={save}>
      <input
        aria-label="Name of the skill"
        // biome-ignore lint/a11y/noAutofocus: the person asked to write here
        autoFocus
        maxLength={80}
        value={label}
        onFocus={(event) => event.target.select()}
        onChange={(event) => setLabel(event.target.value)}
        onBlur={() => save()}
        onKeyDown={(event) => {
          if (event.key === "Escape") onDone(skill.label)
        }}
        className="w-full rounded-md border border-tide bg-raised px-2 py-1 font-serif text-lg outline-none"
      />
    </form>
  )
}

/** Skills of everybody in the tenant; they are switched by its admins. */
export function SharedSkills({ items }: { items: readonly Skill[] }) {
  return (
    <ul className="flex flex-wrap gap-2">
      {items.map((skill) => (
        <li key={skill.id}>
          <Chip look={skill.active && skill.adapter?.version != null ? "lamp" : "plain"}>
            {skill.label}
          </Chip>
        </li>
      ))}
    </ul>
  )
}
