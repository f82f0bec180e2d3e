/** The shapes of /v1 by short names. The server's own document defines them (openapi.json). */
import type { components } from "./schema.gen"

type Schemas = components["schemas"]

export type Account = Schemas["Account"]
export type Adapter = Schemas["Adapter"]
export type AdapterVersion = Schemas["AdapterVersion"]
export type ApiKey = Schemas["ApiKey"]
export type Artifact = Schemas["Artifact"]
export type ArtifactVersion = Schemas["ArtifactVersion"]
export type ClusteringRun = Schemas["ClusteringRun"]
export type Conversation = Schemas["Conversation"]
export type Feedback = Schemas["Feedback"]
export type FeedbackInfluence = Schemas["FeedbackInfluence"]
export type GateFigure = Schemas["GateFigure"]
export type GateReport = Schemas["GateReport"]
export type Learned = Schemas["LearnedReply"]
export type LearnedPreference = Schemas["LearnedPreference"]
export type LearnedSource = Schemas["LearnedSource"]
export type LineageAdapter = Schemas["LineageAdapter"]
export type LineageFeedback = Schemas["LineageFeedback"]
export type LoggedEvent = Schemas["LoggedEvent"]
export type MessageLineage = Schemas["MessageLineage"]
export type MessageRow = Schemas["Message"]
export type ParkedStream = Schemas["ParkedStream"]
export type Patch = Schemas["Patch"]
export type Preferences = Schemas["AccountSettings"]
export type Projection = Schemas["Projection"]
export type ProjectionVersion = Schemas["ProjectionVersion"]
export type RebuildProgress = Schemas["RebuildProgress"]
export type ReportExample = Schemas["ReportExample"]
export type Routing = Schemas["RoutingView"]
export type RuleFired = Schemas["RuleFired"]
export type Scope = Schemas["NewApiKey"]["scopes"][number]
export type Session = Schemas["Session"]
export type Skill = Schemas["Skill"]
export type SkillMap = Schemas["SkillMap"]
export type Status = Schemas["Status"]
export type TrainingRun = Schemas["TrainingRun"]
export type WhatIf = Schemas["WhatIf"]
/** What is known of how an answer is made: from its first frame on, and what only its end tells. */
export type Trace = Pick<
  Schemas["Trace"],
  "model" | "adapters" | "policy_version" | "seed" | "finish_reason"
> &
  Partial<Pick<Schemas["Trace"], "summary_version" | "left_out">>
export type Usage = Schemas["Usage"]

export type FeedbackInput =
  | Schemas["Thumb"]
  | Schemas["Correction"]
  | Schemas["AlwaysRule"]
  | Schemas["NeverRule"]
  | Schemas["Note"]
