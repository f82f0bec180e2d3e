/** Every request that the interface makes, by its noun. */
import { ApiError, query, request } from "./client"
import type {
  Account,
  ApiKey,
  Conversation,
  Feedback,
  FeedbackInput,
  LoggedEvent,
  LogStats,
  MessageRow,
  Page,
  ParkedStream,
  Preferences,
  Projection,
  RebuildProgress,
  SearchHit,
  Session,
  Status,
  Verification,
} from "./types"

interface Credentials {
  email: string
  password: string
}

const auth = "/v1/auth"

export const accounts = {
  /** The signed-in account, or null where nobody is. */
  me: async (): Promise<Account | null> => {
    try {
      return (await request<{ account: Account }>("GET", `${auth}/me`)).account
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null
      throw error
    }
  },
  signUp: async (body: Credentials & { display_name?: string }) =>
    (await request<{ account: Account }>("POST", `${auth}/signup`, body)).account,
  signIn: async (body: Credentials & { otp?: string }) =>
    (await request<{ account: Account }>("POST", `${auth}/login`, body)).account,
  signOut: () => request<void>("POST", `${auth}/logout`),
  signOutEverywhere: () => request<void>("POST", `${auth}/logout-all`),
  reauthenticate: (body: { password: string; otp?: string }) =>
    request<void>("POST", `${auth}/reauthenticate`, body),
  changePassword: (body: { current: string; new: string }) =>
    request<void>("POST", `${auth}/password`, body),
  sessions: () => request<Page<Session>>("GET", `${auth}/sessions`),
  endSession: (id: string) => request<void>("DELETE", `${auth}/sessions/${id}`),
  apiKeys: () => request<Page<ApiKey>>("GET", `${auth}/api-keys`),
  createApiKey: (body: { name: string; scopes: string[]; expires_in_days: number | null }) =>
    request<{ item: ApiKey; key: string }>("POST", `${auth}/api-keys`, body),
  revokeApiKey: (id: string) => request<void>("DELETE", `${auth}/api-keys/${id}`),
  beginSecondFactor: () =>
    request<{ uri: string; secret: string }>("POST", `${auth}/second-factor`),
  confirmSecondFactor: (code: string) =>
    request<{ recovery_codes: string[] }>("POST", `${auth}/second-factor/confirm`, { code }),
  removeSecondFactor: () => request<void>("DELETE", `${auth}/second-factor`),
  preferences: () => request<Preferences>("GET", "/v1/settings"),
  changePreferences: (body: Partial<Preferences>) =>
    request<Preferences>("PATCH", "/v1/settings", body),
}

export const conversations = {
  page: (archived: boolean, cursor: string | null) =>
    request<Page<Conversation>>("GET", `/v1/conversations?${query({ archived, cursor })}`),
  get: (id: string) => request<Conversation>("GET", `/v1/conversations/${id}`),
  change: (id: string, body: { title?: string; archived?: boolean }) =>
    request<Conversation>("PATCH", `/v1/conversations/${id}`, body),
  remove: (id: string) => request<void>("DELETE", `/v1/conversations/${id}`),
  search: (q: string) =>
    request<Page<SearchHit>>("GET", `/v1/conversations/search?${query({ q, limit: 20 })}`),
  /** All messages of all branches. */
  messages: async (id: string): Promise<MessageRow[]> => {
    const rows: MessageRow[] = []
    for (let cursor: string | null = ""; cursor !== null;) {
      const path: string = `/v1/conversations/${id}/messages?${query({ cursor, limit: 500 })}`
      const page = await request<Page<MessageRow>>("GET", path)
      rows.push(...page.items)
      cursor = page.next_cursor
    }
    return rows
  },
}

export const feedback = {
  page: (cursor: string | null) =>
    request<Page<Feedback>>("GET", `/v1/feedback?${query({ cursor, limit: 50 })}`),
  give: (messageId: string, body: FeedbackInput) =>
    request<Feedback>("POST", `/v1/messages/${messageId}/feedback`, body),
  change: (id: string, body: { value: 1 | -1 } | { text: string }) =>
    request<Feedback>("PATCH", `/v1/feedback/${id}`, body),
  withdraw: (id: string) => request<void>("DELETE", `/v1/feedback/${id}`),
}

export const system = {
  status: () => request<Status>("GET", "/v1/status"),
}

const projection = (name: string) => `/v1/admin/projections/${encodeURIComponent(name)}`

export const projections = {
  list: () => request<Page<Projection>>("GET", "/v1/admin/projections"),
  rebuild: (name: string) => request<{ job: string }>("POST", `${projection(name)}/rebuild`),
  progress: (name: string) => request<RebuildProgress>("GET", `${projection(name)}/rebuild`),
  verify: (name: string) => request<Verification>("POST", `${projection(name)}/verify`),
  switchTo: (name: string, version: number) =>
    request<Projection>("POST", `${projection(name)}/switch`, { version }),
  rollback: (name: string) => request<Projection>("POST", `${projection(name)}/rollback`),
  parked: (name: string) => request<Page<ParkedStream>>("GET", `${projection(name)}/parked`),
  retry: (name: string, stream: string) =>
    request<{ folded: number; parked: number }>("POST", `${projection(name)}/parked/retry`, {
      stream,
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
    request<Page<LoggedEvent>>("GET", `/v1/admin/log?${query({ ...filter, cursor, limit })}`),
  event: (position: string, decrypt: boolean) =>
    request<LoggedEvent>("GET", `/v1/admin/log/${position}?${query({ decrypt: decrypt || null })}`),
  stats: () => request<LogStats>("GET", "/v1/admin/log/stats"),
}
