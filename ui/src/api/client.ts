/** Requests to /v1, typed by the server's own document: JSON both ways, one error for all that goes wrong. */
import type { paths } from "./schema.gen"

type Method = "get" | "post" | "patch" | "delete"
type Operation = { parameters: { query?: unknown; path?: unknown }; responses: object }

type PathOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, Operation> ? P : never
}[keyof paths]

type OperationOf<M extends Method, P extends keyof paths> =
  paths[P] extends Record<M, infer O extends Operation> ? O : never

type Json<T> = T extends { content: { "application/json": infer B } } ? B : undefined
type Succeeded = 200 | 201 | 202 | 204
type Reply<O extends Operation> = Json<O["responses"][keyof O["responses"] & Succeeded]>

/** What the server has a null default for may be left out. */
type Sent<T> = T extends object
  ? { [K in keyof T as null extends T[K] ? never : K]: T[K] } & {
      [K in keyof T as null extends T[K] ? K : never]?: T[K]
    }
  : T

type Needs<K extends string, T> = [T] extends [undefined]
  ? unknown
  : undefined extends T
    ? { [key in K]?: NonNullable<T> }
    : { [key in K]: T }

type Call<O extends Operation> = Needs<"path", O["parameters"]["path"]> &
  Needs<"query", O["parameters"]["query"]> &
  Needs<"body", O extends { requestBody: infer B } ? Sent<Json<B>> : undefined>

interface Envelope {
  error?: { code?: string; message?: string; details?: Record<string, unknown> }
}

/** What the server said no with; `code` is stable, `message` is for people. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Record<string, unknown> = {},
  ) {
    super(message)
  }
}

/** What went wrong, for people. */
export const wordsOf = (error: unknown): string =>
  error instanceof ApiError ? error.message : "The server could not be reached."

export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof ApiError && error.code === code

/** One request. Raises ApiError where the server says no, TypeError where it can't be reached. */
export async function request<M extends Method, P extends PathOf<M>>(
  method: M,
  template: P,
  call: Call<OperationOf<M, P>>,
): Promise<Reply<OperationOf<M, P>>> {
  const { path, query, body } = call as { path?: Values; query?: Values; body?: unknown }
  const response = await fetch(addressOf(template, path, query), {
    method: method.toUpperCase(),
    // the server asks for it on every change made with the session's cookie
    headers: {
      "X-Liminal": "1",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  if (!response.ok) throw await errorOf(response)
  const reply: unknown = response.status === 204 ? undefined : await response.json()
  return reply as Reply<OperationOf<M, P>>
}

type Values = Record<string, unknown>

/** A path template with its values in it; values that are null, absent or empty are left out of the query. */
export function addressOf(template: string, path: Values = {}, query: Values = {}): string {
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(path[name])),
  )
  const given = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  )
  const search = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString()
  return search ? `${filled}?${search}` : filled
}

async function errorOf(response: Response): Promise<ApiError> {
  const { error } = (await response.json().catch(() => ({}))) as Envelope
  const message = error?.message ?? `The server answered ${response.status}.`
  return new ApiError(response.status, error?.code ?? "unknown", message, error?.details)
}
