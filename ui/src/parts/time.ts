/** Times as people say them, in the language of the browser. */

const DAY = 86_400_000
const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * DAY],
  ["month", 30 * DAY],
  ["day", DAY],
  ["hour", 3_600_000],
  ["minute", 60_000],
]

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "long" })
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" })
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hour12: false,
})
const month = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" })

export function ago(time: string, now = Date.now()): string {
  const past = now - Date.parse(time)
  const unit = units.find(([, length]) => past >= length)
  return unit ? relative.format(-Math.floor(past / unit[1]), unit[0]) : "just now"
}

export const fullTime = (time: string) => full.format(new Date(time))
export const clockTime = (time: string) => clock.format(new Date(time))

/** The heading that a conversation of this time stands under. */
export function era(time: string, now = new Date()): string {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime()
  const then = Date.parse(time)
  if (then >= midnight) return "Today"
  if (then >= midnight - DAY) return "Yesterday"
  if (then >= midnight - 7 * DAY) return "Last seven days"
  if (then >= midnight - 30 * DAY) return "Last thirty days"
  return month.format(new Date(time))
}

export const count = (value: number) => value.toLocaleString()
