import { Check, Pencil, X } from "lucide-react"
import { type ReactNode, useState } from "react"
import { type SkillChange, skills as calls } from "@/api/calls"
import type { Skill } from "@/api/types"
import { RenameSkill } from "@/learning/OwnSkills"
import { useChange } from "@/learning/queries"
import { SkillState } from "@/learning/SkillState"
import { namedBy } from "@/learning/words"
import { Swatch } from "@/learning/PointMap"
import { Button, IconButton } from "@/parts/Button"
import { count } from "@/parts/time"
import { skillsKey } from "./Skills"

interface Props {
  skill: Skill
  all: readonly Skill[]
  /** Of its group on the map, if it is there. */
  colour: number | null
  onPoint: (cluster: string | null) => void
}

/** A skill with its figures, and what can be decided about it. */
export function SkillRow({ skill, all, colour, onPoint }: Props) {
  const [renaming, setRenaming] = useState(false)
  const change = useChange((body: SkillChange) => calls.change(skill.id, body), skillsKey)
  const positive = skill.size > 0 ? Math.round((100 * skill.positive) / skill.size) : 0
  const lift = skill.adapter?.lift
  return (
    <tr
      onPointerEnter={() => onPoint(skill.cluster_id)}
      onPointerLeave={() => onPoint(null)}
      className="border-t border-line align-top [&>td]:py-3.5"
    >
      <th scope="row" className="py-3 pr-4 text-left font-normal">
        {renaming ? (
          <RenameSkill
            skill={skill}
            onDone={(label) => {
              setRenaming(false)
              if (label && label !== skill.label) change.mutate({ label })
            }}
          />
        ) : (
          <span className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <span className="flex items-baseline gap-2">
              {colour !== null && <Swatch colour={colour} />}
              <span className="font-serif text-lg leading-tight font-[480]">{skill.label}</span>
            </span>
            <SkillState skill={skill} />
            <IconButton
              label={`Rename ${skill.label}`}
              size="small"
              onClick={() => setRenaming(true)}
            >
              <Pencil />
            </IconButton>
          </span>
        )}
        <span className="mt-0.5 block text-xs text-faint">
          {namedBy(skill.label_source, skill.words, skill.label)}
        </span>
        <span className="mt-0.5 block text-xs text-faint sm:hidden">
          {count(skill.size)} pieces, {positive} % positive
        </span>
        <Proposals skill={skill} all={all} />
      </th>
      <td className="hidden text-right tabular-nums sm:table-cell">{count(skill.size)}</td>
      <td className="hidden sm:table-cell">
        <span className="flex items-center justify-end gap-2 tabular-nums">
          <span aria-hidden="true" className="h-1 w-8 overflow-hidden rounded-full bg-sunken">
            <span className="block h-full bg-moss" style={{ width: `${positive}%` }} />
          </span>
          {positive} %
        </span>
      </td>
      <td className="hidden text-right tabular-nums sm:table-cell">{count(skill.people)}</td>
      <td className="hidden text-right tabular-nums md:table-cell">
        {lift == null ? <span className="text-faint">none yet</span> : <Lift value={lift} />}
      </td>
      <td className="pl-4">
        <div className="flex flex-col items-stretch justify-end gap-1 whitespace-nowrap sm:flex-row sm:items-center">
          {skill.state === "proposed" || skill.state === "rejected" ? (
            <Button
              small
              look={skill.state === "proposed" ? "primary" : "plain"}
              busy={change.isPending}
              aria-label={`Approve ${skill.label}`}
              onClick={() => change.mutate({ decision: "approve" })}
            >
              <Check className="size-3.5" /> Approve
            </Button>
          ) : null}
          {skill.state === "proposed" && (
            <Button
              small
              look="plain"
              disabled={change.isPending}
              aria-label={`Reject ${skill.label}`}
              onClick={() => change.mutate({ decision: "reject" })}
            >
              <X className="size-3.5" /> Reject
            </Button>
          )}
          {skill.state === "approved" && (
            <Button
              small
              look="plain"
              busy={change.isPending}
              onClick={() => change.mutate({ active: !skill.active })}
            >
              {skill.active ? "Put off" : "Put on"}
            </Button>
          )}
        </div>
      </td>
    </tr>
  )
}

const LIFT_SCALE = 1

/** Nats a token gained: a bar from the middle. */
function Lift({ value }: { value: number }) {
  const part = Math.min(1, Math.abs(value) / LIFT_SCALE) * 50
  return (
    <span className="flex items-center justify-end gap-2">
      <span aria-hidden="true" className="relative h-1 w-12 rounded-full bg-sunken">
        <span
          className={`absolute inset-y-0 rounded-full ${value >= 0 ? "left-1/2 bg-moss" : "right-1/2 bg-rose"}`}
          style={{ width: `${part}%` }}
        />
      </span>
      {value > 0 ? "+" : ""}
      {value.toFixed(2)}
    </span>
  )
}

/** What was found to overlap or to lie unused; keeping it is an answer too. */
function Proposals({ skill, all }: { skill: Skill; all: readonly Skill[] }) {
  const approve = useChange(() => calls.change(skill.id, { decision: "approve" }), skillsKey)
  const merge = useChange((into: string) => calls.merge(skill.id, into), skillsKey)
  const prune = useChange(() => calls.prune(skill.id), skillsKey)
  const other = all.find(({ id }) => id === skill.merge_into)
  const into = skill.merge_into
  return (
    <>
      {into !== null && (
        <Proposal
          words={`Much like “${other?.label ?? "another skill"}” (${Math.round(100 * (skill.merge_overlap ?? 0))} % overlap).`}
          action="Merge"
          busy={merge.isPending || approve.isPending}
          onYes={() => merge.mutate(into)}
          onKeep={() => approve.mutate(undefined)}
        />
      )}
      {skill.prune_turns !== null && (
        <Proposal
          words={`In ${count(skill.prune_turns)} answers of the last ${skill.prune_days} days.`}
          action="Retire"
          busy={prune.isPending || approve.isPending}
          onYes={() => prune.mutate(undefined)}
          onKeep={() => approve.mutate(undefined)}
        />
      )}
    </>
  )
}

interface ProposalProps {
  words: ReactNode
  action: string
  busy: boolean
  onYes: () => void
  onKeep: () => void
}

function Proposal({ words, action, busy, onYes, onKeep }: ProposalProps) {
  return (
    <span className="mt-2 flex flex-wrap items-center gap-2 rounded-md bg-tide-wash px-3 py-1.5 text-sm">
      <span className="flex-1">{words}</span>
      <Button small disabled={busy} onClick={onYes}>
        {action}
      </Button>
      <Button small look="plain" disabled={busy} onClick={onKeep}>
        Keep it
      </Button>
    </span>
  )
}
