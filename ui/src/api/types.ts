/** The shapes of /v1 that the interface reads. */

export interface Account {
  id: string
  email: string
  display_name: string | null
  role: "user" | "admin"
  tenant_id: string
  plan: string
  created_at: string
  second_factor: boolean
}

export interface Session {
  id: string
  kind: "session" | "token"
  created_at: string
  last_used_at: string
  expires_at: string
  user_agent: string
  address: string
  current: boolean
}

export interface ApiKey {
  id: string
  name: string
  hint: string
  scopes: string[]
  created_at: string
  last_used_at: string | null
  expires_at: string | null
}

export interface Page<T> {
  items: T[]
  next_cursor: string | null
}

export interface Conversation {
  id: string
  title: string | null
  archived: boolean
  created_at: string
  last_message_at: string | null
  message_count: number
}

export interface SearchHit {
  conversation_id: string
  message_id: string
  title: string | null
  /** \u0002 and \u0003 stand around what matched. */
  snippet: string
  created_at: string
}

export interface Trace {
  model: string
  adapters: { name: string; version: number; gate: number; content_hash: string }[]
  policy_version: number | null
  seed: number | null
  finish_reason: string | null
}

export interface Usage {
  prompt_tokens: number
  completion_tokens: number
}

export interface MessageRow {
  id: string
  parent_id: string | null
  role: "user" | "assistant"
  content: string
  turn_id: string | null
  created_at: string
  status: string
  feedback: Feedback[]
  trace: Trace | null
  usage: Usage | null
}

export type FeedbackInput =
  | { kind: "thumb"; value: 1 | -1 }
  | { kind: "correction" | "always" | "never" | "note"; text: string }

export interface Feedback {
  id: string
  message_id: string
  conversation_id: string
  kind: "thumb" | "correction" | "always" | "never" | "note"
  value: 1 | -1 | null
  text: string | null
  created_at: string
  updated_at: string
}

export interface Status {
  state: "no_engine" | "loading" | "ready"
  model: { id: string; demonstration: boolean; notice: string | null } | null
}

export interface ProjectionVersion {
  version: number
  schema: string
  state: "live" | "building" | "ready" | "retired"
  progress: number | null
  events: number
}

export interface ProjectionPartition {
  partition: number
  offset: number
  end_offset: number
  lag_events: number
  lag_seconds: number
}

export interface Projection {
  name: string
  description: string
  live_version: number | null
  versions: ProjectionVersion[]
  lag_events: number
  lag_seconds: number
  partitions: ProjectionPartition[]
  parked: number
}

export interface RebuildProgress {
  state: "none" | "running" | "ready" | "failed"
  version: number | null
  done: number
  total: number
  rate: number
  error: string | null
}

export interface Verification {
  hash: string
  rows: number
  equal: boolean
}

export interface ParkedStream {
  stream: string
  events: number
  first_position: string
  error: string
  parked_at: string
}

export interface LoggedEvent {
  position: string
  id: string
  type: string
  version: number
  stream: string
  owner: string
  tenant: string
  actor: string
  time: string
  causation: string | null
  correlation: string | null
  expected_version: number | null
  data: Record<string, unknown>
}

export interface LogStats {
  total: number
  partitions: { partition: number; begin_offset: number; end_offset: number }[]
  counts: { type: string; day: string; count: number }[]
}

export interface Preferences {
  theme: "system" | "light" | "dark"
  send_on_enter: boolean
}
