import type { Skill } from "@/api/types"
import { Chip, type ChipLook } from "@/parts/Small"

const states: Record<Skill["state"], { words: string; look: ChipLook }> = {
  proposed: { words: "proposed", look: "tide" },
  approved: { words: "approved", look: "moss" },
  rejected: { words: "rejected", look: "rose" },
  merged: { words: "merged", look: "plain" },
  pruned: { words: "retired", look: "plain" },
}

/** How a skill stands: what was decided, and whether anything of it serves. */
export function SkillState({ skill }: { skill: Skill }) {
  if (skill.state === "approved" && !skill.active) return <Chip>off</Chip>
  if (skill.state === "approved" && skill.adapter?.version != null)
    return <Chip look="lamp">serves</Chip>
  const { words, look } = states[skill.state]
  return <Chip look={look}>{words}</Chip>
}
