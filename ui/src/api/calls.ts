/** Every request that the interface makes, by its noun. */
import { hasCode, request } from "./client"
import type { Account, FeedbackInput, MessageRow, Preferences, Scope } from "./types"

interface Credentials {
  email: string
  password: string
}

export const accounts = {
  /** The signed-in account, or null where nobody is. */
  me: async (): Promise<Account | null> => {
    try {
      return (await request("get", "/v1/auth/me", {})).account
    } catch (error) {
      if (hasCode(error, "not_authenticated") || hasCode(error, "account_suspended")) return null
      throw error
    }
  },
  signUp: async (body: Credentials & { display_name?: string }) =>
    (await request("post", "/v1/auth/signup", { body })).account,
  signIn: async (body: Credentials & { otp?: string }) =>
    (await request("post", "/v1/auth/login", { body: { ...body, client: "browser" } })).account,
  resetPassword: async (body: { token: string; new: string; otp?: string }) =>
    (await request("post", "/v1/auth/reset-password", { body })).account,
  signOut: () => request("post", "/v1/auth/logout", {}),
  signOutEverywhere: () => request("post", "/v1/auth/logout-all", {}),
  reauthenticate: (body: { password: string; otp?: string }) =>
    request("post", "/v1/auth/reauthenticate", { body }),
  changePassword: (body: { current: string; new: string; otp?: string }) =>
    request("post", "/v1/auth/password", { body }),
  sessions: () => request("get", "/v1/auth/sessions", {}),
  endSession: (id: string) => request("delete", "/v1/auth/sessions/{id}", { path: { id } }),
  apiKeys: () => request("get", "/v1/auth/api-keys", {}),
  createApiKey: (body: { name: string; scopes: Scope[]; expires_in_days: number | null }) =>
    request("post", "/v1/auth/api-keys", { body }),
  revokeApiKey: (id: string) => request("delete", "/v1/auth/api-keys/{id}", { path: { id } }),
  beginSecondFactor: () => request("post", "/v1/auth/second-factor", {}),
  confirmSecondFactor: (code: string) =>
    request("post", "/v1/auth/second-factor/confirm", { body: { code } }),
  removeSecondFactor: () => request("delete", "/v1/auth/second-factor", {}),
  preferences: () => request("get", "/v1/settings", {}),
  changePreferences: (body: Partial<Preferences>) => request("patch", "/v1/settings", { body }),
}

const MESSAGES_AT_ONCE = 500

export const conversations = {
  page: (archived: boolean, cursor: string | null) =>
    request("get", "/v1/conversations", { query: { archived, cursor } }),
  get: (id: string) => request("get", "/v1/conversations/{id}", { path: { id } }),
  change: (id: string, body: { title?: string; archived?: boolean }) =>
    request("patch", "/v1/conversations/{id}", { path: { id }, body }),
  remove: (id: string) => request("delete", "/v1/conversations/{id}", { path: { id } }),
  search: (q: string) => request("get", "/v1/conversations/search", { query: { q, limit: 20 } }),
  /** What the model noted of the messages that its window no longer held, newest first. */
  summaries: (id: string) => request("get", "/v1/conversations/{id}/summaries", { path: { id } }),
  /** All messages of all branches. */
  messages: async (id: string): Promise<MessageRow[]> => {
    const rows: MessageRow[] = []
    for (let cursor: string | null = ""; cursor !== null;) {
      const page = await messagePage(id, cursor)
      rows.push(...page.items)
      cursor = page.next_cursor
    }
    return rows
  },
}

const messagePage = (id: string, cursor: string) =>
  request("get", "/v1/conversations/{id}/messages", {
    path: { id },
    query: { cursor, limit: MESSAGES_AT_ONCE },
  })

export const feedback = {
  page: (cursor: string | null) => request("get", "/v1/feedback", { query: { cursor, limit: 50 } }),
  give: (messageId: string, body: FeedbackInput) =>
    request("post", "/v1/messages/{id}/feedback", { path: { id: messageId }, body }),
  change: (id: string, body: { value: 1 | -1 } | { text: string }) =>
    request("patch", "/v1/feedback/{id}", { path: { id }, body }),
  withdraw: (id: string) => request("delete", "/v1/feedback/{id}", { path: { id } }),
}

export const learning = {
  learned: () => request("get", "/v1/learned", {}),
  map: () => request("get", "/v1/learned/map", {}),
  changePreference: (
    id: string,
    body: { confirmed?: true; statement?: string; value?: string; active?: boolean },
  ) => request("patch", "/v1/learned/preferences/{id}", { path: { id }, body }),
  deletePreference: (id: string) =>
    request("delete", "/v1/learned/preferences/{id}", { path: { id } }),
  changeSkill: (id: string, body: SkillChange) =>
    request("patch", "/v1/learned/skills/{id}", { path: { id }, body }),
  deleteSkill: (id: string) => request("delete", "/v1/learned/skills/{id}", { path: { id } }),
  adapters: () => request("get", "/v1/adapters", {}),
  switchAdapter: (id: string, active: boolean) =>
    request("patch", "/v1/adapters/{id}", { path: { id }, body: { active } }),
  rollBack: (id: string, to_version: number | null) =>
    request("post", "/v1/adapters/{id}/rollback", { path: { id }, body: { to_version } }),
  report: (id: string, version: number) =>
    request("get", "/v1/adapters/{id}/versions/{version}", { path: { id, version } }),
  runs: () => request("get", "/v1/training", { query: { limit: 5 } }),
  lineage: (messageId: string) =>
    request("get", "/v1/messages/{id}/lineage", { path: { id: messageId } }),
  routing: (messageId: string) =>
    request("get", "/v1/messages/{id}/routing", { path: { id: messageId } }),
  influence: (feedbackId: string) =>
    request("get", "/v1/feedback/{id}/influence", { path: { id: feedbackId } }),
}

export interface SkillChange {
  label?: string
  active?: boolean
  decision?: "approve" | "reject"
}

export const skills = {
  list: () => request("get", "/v1/admin/skills", {}),
  map: () => request("get", "/v1/admin/skills/map", {}),
  change: (id: string, body: SkillChange) =>
    request("patch", "/v1/admin/skills/{id}", { path: { id }, body }),
  merge: (id: string, into: string) =>
    request("post", "/v1/admin/skills/{id}/merge", { path: { id }, body: { into } }),
  prune: (id: string) => request("post", "/v1/admin/skills/{id}/prune", { path: { id }, body: {} }),
  passes: () => request("get", "/v1/admin/clustering", { query: { limit: 5 } }),
  clusterNow: () => request("post", "/v1/admin/clustering", {}),
}

export const training = {
  runs: () => request("get", "/v1/admin/training", { query: { limit: 30 } }),
  cancel: (id: string) =>
    request("post", "/v1/admin/training/{id}/cancel", { path: { id }, body: {} }),
  adapters: () => request("get", "/v1/admin/adapters", {}),
  report: (id: string, version: number) =>
    request("get", "/v1/admin/adapters/{id}/versions/{version}", { path: { id, version } }),
  promote: (id: string, version: number) =>
    request("post", "/v1/admin/adapters/{id}/versions/{version}/promote", {
      path: { id, version },
      body: {},
    }),
  reject: (id: string, version: number) =>
    request("post", "/v1/admin/adapters/{id}/versions/{version}/reject", {
      path: { id, version },
      body: {},
    }),
  rollBack: (id: string, to_version: number | null) =>
    request("post", "/v1/admin/adapters/{id}/rollback", { path: { id }, body: { to_version } }),
  state: () => request("get", "/v1/admin/learning", {}),
  pause: () => request("post", "/v1/admin/learning/pause", { body: {} }),
  resume: () => request("post", "/v1/admin/learning/resume", { body: {} }),
}

export const artifacts = {
  list: () => request("get", "/v1/admin/artifacts", {}),
  versions: (name: string) =>
    request("get", "/v1/admin/artifacts/{name}/versions", { path: { name } }),
  patches: (name: string) =>
    request("get", "/v1/admin/artifacts/{name}/patches", { path: { name } }),
  create: (id: string) => request("post", "/v1/admin/artifacts", { body: { id } }),
  propose: (name: string, operations: readonly object[], rationale: string | null) =>
    request("post", "/v1/admin/artifacts/{name}/patches", {
      path: { name },
      // an operation is any JSON object to the schema; the server validates it as RFC 6902
      body: { operations: operations as never, rationale },
    }),
  rollBack: (name: string, to_version: number) =>
    request("post", "/v1/admin/artifacts/{name}/rollback", {
      path: { name },
      body: { to_version },
    }),
  backtest: (patchId: string) =>
    request("get", "/v1/admin/patches/{id}/backtest", { path: { id: patchId } }),
  approve: (patchId: string) =>
    request("post", "/v1/admin/patches/{id}/approve", { path: { id: patchId } }),
  reject: (patchId: string) =>
    request("post", "/v1/admin/patches/{id}/reject", { path: { id: patchId }, body: {} }),
}

export const policies = {
  check: (body: unknown) =>
    request("post", "/v1/admin/policies/check", { body: { body: body as never } }),
}

export const system = {
  status: () => request("get", "/v1/status", {}),
}

export const projections = {
  list: () => request("get", "/v1/admin/projections", {}),
  rebuild: (name: string) =>
    request("post", "/v1/admin/projections/{name}/rebuild", { path: { name } }),
  progress: (name: string) =>
    request("get", "/v1/admin/projections/{name}/rebuild", { path: { name } }),
  verify: (name: string) =>
    request("post", "/v1/admin/projections/{name}/verify", { path: { name } }),
  switchTo: (name: string, version: number) =>
    request("post", "/v1/admin/projections/{name}/switch", { path: { name }, body: { version } }),
  rollback: (name: string) =>
    request("post", "/v1/admin/projections/{name}/rollback", { path: { name } }),
  parked: (name: string) =>
    request("get", "/v1/admin/projections/{name}/parked", { path: { name } }),
  retry: (name: string, stream: string) =>
    request("post", "/v1/admin/projections/{name}/parked/retry", {
      path: { name },
      body: { stream },
    }),
}

export interface LogFilter {
  type: string
  owner: string
  stream: string
  since: string
}

export const log = {
  tail: (filter: LogFilter, cursor: string | null, limit: number) =>
    request("get", "/v1/admin/log", { query: { ...filter, cursor, limit } }),
  event: (position: string, decrypt: boolean) =>
    request("get", "/v1/admin/log/{position}", { path: { position }, query: { decrypt } }),
  stats: () => request("get", "/v1/admin/log/stats", {}),
}
