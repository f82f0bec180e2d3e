/** The shapes of /v1 by short names. The server's own document defines them (openapi.json). */
import type { components } from "./schema.gen"

type Schemas = components["schemas"]

export type Account = Schemas["Account"]
export type ApiKey = Schemas["ApiKey"]
export type Conversation = Schemas["Conversation"]
export type Feedback = Schemas["Feedback"]
export type LoggedEvent = Schemas["LoggedEvent"]
export type MessageRow = Schemas["Message"]
export type ParkedStream = Schemas["ParkedStream"]
export type Preferences = Schemas["AccountSettings"]
export type Projection = Schemas["Projection"]
export type ProjectionVersion = Schemas["ProjectionVersion"]
export type RebuildProgress = Schemas["RebuildProgress"]
export type Scope = Schemas["NewApiKey"]["scopes"][number]
export type Session = Schemas["Session"]
export type Status = Schemas["Status"]
/** What is known of how an answer is made from its first frame on. */
export type Trace = Pick<
  Schemas["Trace"],
  "model" | "adapters" | "policy_version" | "seed" | "finish_reason"
>
export type Usage = Schemas["Usage"]

export type FeedbackInput =
  | Schemas["Thumb"]
  | Schemas["Correction"]
  | Schemas["AlwaysRule"]
  | Schemas["NeverRule"]
  | Schemas["Note"]
