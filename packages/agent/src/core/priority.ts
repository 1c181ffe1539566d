/** Who goes first: what the recorder called urgent, but what has waited longer counts for more from hour to hour. */

/** `priority` of meta.json. */
export type PriorityWord = number | 'high' | 'normal' | 'low'

const words = { high: 10, normal: 0, low: -10 } as const
const most = 10

/** @returns -10 to 10; 0 where nothing is said */
export function priorityOf(value: PriorityWord | undefined): number {
  const number = typeof value === 'string' ? words[value] : (value ?? 0)
  return Math.max(-most, Math.min(most, Math.round(number)))
}

export interface Rank {
  readonly priority?: number | undefined
  /** Since when it has waited, epoch milliseconds; undefined: nobody knows, for long. */
  readonly since: number | undefined
  /** Attempts that failed. */
  readonly attempts?: number
}

/** Failures that count: a bad day of the receiver is not made up for in weeks. */
const mostFailures = 3

const hourMs = 3_600_000

/**
 * An hour of waiting counts as one step of priority, so that the least urgent passes the most urgent newcomer after 20 hours.
 * A failed attempt costs six, three of them at most: what fails again and again makes way, and not for ever.
 */
export function score({ priority = 0, since, attempts = 0 }: Rank, now: number): number {
  const hours = since === undefined ? 2 * most : Math.max(0, Math.floor((now - since) / hourMs))
  return priority + hours - 6 * Math.min(attempts, mostFailures)
}
