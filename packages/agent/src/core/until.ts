/** The end that a person gives a pause. */

const day = 24 * 3_600_000

/**
 * `18:00` is the next such time of this host's wall clock; else a date with a time, of this host where it names no zone.
 * @returns epoch milliseconds, or why the text is no time to come
 */
export function parseUntil(text: string, now: number): number | string {
  const clock = /^(\d{1,2}):(\d{2})$/.exec(text.trim())
  const at = clock ? nextClock(Number(clock[1]), Number(clock[2]), now) : dateOf(text.trim())
  if (/^\d{4}-\d{2}-\d{2}$/.test(text.trim())) return `"${text}" needs an hour; write it like "${text.trim()} 18:00"`
  if (Number.isNaN(at)) return `"${text}" is no time; write it like 18:00, "2026-11-21 18:00" or 2026-11-21T17:00:00Z`
  return at > now ? at : `"${text}" is over already`
}

function nextClock(hour: number, minute: number, now: number): number {
  if (hour > 23 || minute > 59) return Number.NaN
  const today = new Date(now)
  today.setHours(hour, minute, 0, 0)
  if (today.getTime() > now) return today.getTime()
  const tomorrow = new Date(now + day)
  tomorrow.setHours(hour, minute, 0, 0)
  return tomorrow.getTime()
}

function dateOf(text: string): number {
  // A date alone would be read as midnight of another zone.
  return /^\d{4}-\d{2}-\d{2}[T ]\d{1,2}:\d{2}/.test(text) ? new Date(text).getTime() : Number.NaN
}
