/** Where a link in an answer may lead. Model output is untrusted: everything not listed here is text. */
const allowed = new Set(["http:", "https:", "mailto:"])

/** The address, normalised, or null where it is not one that may be opened. */
export function safeAddress(url: string): string | null {
  const trimmed = url.trim()
  // a relative address would lead into this very interface
  if (!/^[a-z][a-z0-9+.-]*:/i.test(trimmed)) return null
  try {
    const { protocol, href } = new URL(trimmed)
    return allowed.has(protocol) ? href : null
  } catch {
    return null
  }
}
