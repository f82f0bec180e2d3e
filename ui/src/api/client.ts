/** Requests to /v1: JSON both ways, one error for everything that goes wrong. */

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

type Method = "GET" | "POST" | "PATCH" | "DELETE"

export async function request<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const response = await fetch(path, {
    method,
    // the server asks for it on every change made with the session's cookie
    headers: {
      "X-Liminal": "1",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T
  throw await errorOf(response)
}

async function errorOf(response: Response): Promise<ApiError> {
  const { error } = (await response.json().catch(() => ({}))) as Envelope
  const message = error?.message ?? `The server answered ${response.status}.`
  return new ApiError(response.status, error?.code ?? "unknown", message, error?.details)
}

export const query = (values: Record<string, string | number | boolean | null | undefined>) => {
  const entries = Object.entries(values).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  )
  return new URLSearchParams(entries.map(([key, value]) => [key, String(value)])).toString()
}
