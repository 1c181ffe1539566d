/** Times as rows carry them. Epoch milliseconds inside, RFC 3339 outside. */

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)?$/

/** A time without zone (rows of older receivers) counts as UTC. @returns epoch milliseconds, or undefined when the value is no time */
export function parseTime(value: unknown): number | undefined {
  const match = typeof value === 'string' ? rfc3339.exec(value) : null
  if (!match) return undefined
  const ms = Date.parse(match[1] ? match[0] : `${match[0]}Z`)
  return Number.isNaN(ms) ? undefined : ms
}

/** 2026-11-21T02:59:59.999Z -> "2026-11-21T02Z" */
export function hourBucket(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 13)}Z`
}

/** What happens to a row's time at the edge of the moment that is judged. Data, so that it can go to another thread. */
export interface TimeLimit {
  readonly at: number
  readonly later: 'left-out' | 'pulled-back'
}

/** A replay leaves out what came later. */
export function rowsUpTo(at: number): TimeLimit {
  return { at, later: 'left-out' }
}

/** Live reading pulls a time from the future back to the clock. */
export function pulledBackTo(clock: number): TimeLimit {
  return { at: clock, later: 'pulled-back' }
}

/** @returns the time to use, or undefined to leave the row out */
export function limited(ms: number, { at, later }: TimeLimit): number | undefined {
  if (ms <= at) return ms
  return later === 'left-out' ? undefined : at
}
