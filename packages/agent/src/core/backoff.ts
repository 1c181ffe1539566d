/** When to try again: full jitter between 1 s and 15 min, and what the receiver asked for as a floor. Times are epoch milliseconds. */

export const minute = 60_000
export const hour = 60 * minute
const least = 1000
const most = 15 * minute

/** @param failures how often it failed before this one. @param random in [0, 1). @param base the window of the first retry, in milliseconds */
export function jitteredDelay(failures: number, random: number, base = 2 * least): number {
  const window = Math.min(most, base * 2 ** Math.min(failures, 30))
  return Math.round(least + random * (window - least))
}

/** `Retry-After` in seconds or as an HTTP date. @returns milliseconds from `now`, 1 s to 1 h; undefined when it is neither */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : /[A-Za-z]/.test(text) ? Date.parse(text) - now : Number.NaN
  return Number.isNaN(ms) ? undefined : Math.min(hour, Math.max(least, ms))
}

/** The receiver as a whole: while it is held nothing is sent; `failures` in a row decide for how long. */
export interface Hold {
  readonly until: number
  readonly failures: number
  readonly code: string
}

export const noHold: Hold = { until: 0, failures: 0, code: '' }

/** No wait is longer: a time further ahead was set by a clock that was wrong. */
const longestWait = most + hour

/** Is this time still to come? One that no wait of ours reaches is not: it would strand what waits for it. */
export function isAhead(at: number, now: number): boolean {
  return at > now && at - now <= longestWait
}

export function isHeld(hold: Hold, now: number): boolean {
  return isAhead(hold.until, now)
}

/** A network fault holds the receiver, not the entry. @param notBefore what the receiver asked for */
export function holdAfterFault(hold: Hold, code: string, now: number, random: number, notBefore = 0): Hold {
  return { until: Math.max(notBefore, now + jitteredDelay(hold.failures, random)), failures: hold.failures + 1, code }
}
