/** Which entries one pass tries, and in which order. */
import type { Hold } from './backoff.ts'

/** `all`: a person asked, each ready entry gets one attempt. `due`: the daemon, nothing before its time. */
export type PassMode = 'all' | 'due'

interface Waiting {
  readonly id: string
  readonly lane: string
  readonly attempts: number
  readonly next_at?: string | undefined
}

export interface PassPlan<T> {
  readonly queue: T[]
  /** The receiver failed last time: one entry goes first, alone. */
  readonly probe: boolean
}

/**
 * Least tried first, so that one entry that always fails never keeps the others from their turn.
 * @param inFlight ids of entries that are being sent: they are not sent a second time
 */
export function planPass<T extends Waiting>(
  entries: readonly T[],
  hold: Hold,
  now: number,
  mode: PassMode,
  inFlight: ReadonlySet<string> = new Set(),
): PassPlan<T> {
  if (mode === 'due' && hold.until > now) return { queue: [], probe: false }
  const queue = entries
    .filter((entry) => entry.lane === 'ready' && !inFlight.has(entry.id) && (mode === 'all' || dueAt(entry) <= now))
    .toSorted((a, b) => a.attempts - b.attempts || (a.id < b.id ? -1 : 1))
  return { queue, probe: hold.failures > 0 }
}

/** @returns epoch milliseconds of the next thing to do, at most `latest` */
export function nextTurn(entries: readonly Waiting[], hold: Hold, now: number, latest: number): number {
  const due = entries.filter((entry) => entry.lane === 'ready').map(dueAt)
  const first = due.length === 0 ? latest : Math.max(Math.min(...due), hold.until)
  return Math.max(now, Math.min(first, latest))
}

function dueAt(entry: Waiting): number {
  return entry.next_at === undefined ? 0 : Date.parse(entry.next_at)
}
