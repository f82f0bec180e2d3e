import { Setting, Toggle } from "@/settings/Group"
import { useChangePreferences, usePreferences } from "@/settings/preferences"
import { Part } from "@/parts/Page"
import { Bars, Failed } from "@/parts/States"
import { Adapters } from "./Adapters"
import { ForgetAll } from "./ForgetAll"
import { Groups } from "./Groups"
import { HowItLearns } from "./HowItLearns"
import { Preferences } from "./Preferences"
import { Said } from "./Said"
import { useAdapters, useLearned } from "./queries"
import { SharedSkills } from "./OwnSkills"

/** Everything that liminal has learned about a person, each item to put right, put off or delete. */
export function Learned() {
  const learned = useLearned()
  const adapters = useAdapters()
  if (learned.isPending || adapters.isPending) return <Bars rows={7} />
  if (learned.isError || adapters.isError)
    return (
      <Failed
        what="What was learned can't be read"
        error={learned.error ?? adapters.error}
        onRetry={() => {
          void learned.refetch()
          void adapters.refetch()
        }}
      />
    )
  const { preferences, clusters, skills, shared_skills, counts } = learned.data
  const labels = new Map([...skills, ...shared_skills].map(({ id, label }) => [id, label]))
  const pieces = Object.values(counts.feedback).reduce((sum, each) => sum + each, 0)
  const nothing = pieces === 0 && preferences.length === 0 && adapters.data.items.length === 0
  return (
    <>
      <p className="mb-5 max-w-xl text-soft">
        All of it comes from what you said about answers and how you write. Nothing of it is anybody
        else's, and nothing is learned behind your back: each item shows where it came from, and can
        be put right, put off, or deleted.
      </p>
      <LearnSwitch />
      {nothing ? (
        <HowItLearns />
      ) : (
        <>
          {adapters.data.items.length > 0 && (
            <Part
              title="In your answers now"
              about="Small adapters that were trained, passed a gate, and are mixed into the model."
            >
              <Adapters items={adapters.data.items} labels={labels} />
            </Part>
          )}
          {preferences.length > 0 && (
            <Part
              title="Noticed in how you write"
              about="Wishes that were read between the lines. Answers follow those that you confirm."
            >
              <Preferences items={preferences} />
            </Part>
          )}
          <Part
            title="What you said"
            about="Your rules, corrections, notes and thumbs: the evidence that all else rests on."
          >
            <Said />
          </Part>
          {clusters.length + skills.length > 0 && (
            <Part
              title="What belongs together"
              about="Your feedback, gathered by meaning. A group that is large and clear enough becomes a skill with an adapter of its own."
            >
              <Groups clusters={clusters} skills={skills} />
            </Part>
          )}
          {shared_skills.length > 0 && (
            <Part
              title="Shared by everybody here"
              about="Skills learned from many people, none of whom can be told apart in them."
            >
              <SharedSkills items={shared_skills} />
            </Part>
          )}
          <ForgetAll />
        </>
      )}
    </>
  )
}

function LearnSwitch() {
  const { learn_from_feedback } = usePreferences()
  const change = useChangePreferences()
  return (
    <div className="mb-10 border-b border-line">
      <Setting
        name="Learn from my feedback"
        about="When off, your feedback is kept and shown here, but nothing new is trained on it."
      >
        <Toggle
          label="Learn from my feedback"
          on={learn_from_feedback}
          onChange={(on) => change.mutate({ learn_from_feedback: on })}
        />
      </Setting>
    </div>
  )
}
