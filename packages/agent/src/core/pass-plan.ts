/** Which entries one pass tries, and in which order. */
import { type Hold, isAhead, isHeld } from './backoff.ts'
import { score } from './priority.ts'

/** `all`: a person asked, each ready entry gets one attempt. `due`: the daemon, nothing before its time. */
export type PassMode = 'all' | 'due'

interface Waiting {
  readonly id: string
  readonly lane: string
  readonly attempts: number
  readonly priority?: number | undefined
  readonly upload_url?: string | undefined
  readonly next_at?: string | undefined
}

export interface PassPlan<T> {
  readonly queue: T[]
  /** The receiver failed last time: one entry goes first, alone. */
  readonly probe: boolean
}

/**
 * Uploads that have begun come first: a receiver keeps few of them open for a host. Then the most urgent; what has waited longer counts
 * for more, what has failed for less: nothing keeps the others from their turn.
 * @param inFlight ids of entries that are being sent: they are not sent a second time
 * @param wanted ids that the receiver asked for: they go before all others, in this order
 * @param since when an entry was packed, epoch milliseconds; undefined: nobody knows
 */
export function planPass<T extends Waiting>(
  entries: readonly T[],
  hold: Hold,
  now: number,
  mode: PassMode,
  inFlight: ReadonlySet<string> = new Set(),
  since: (entry: T) => number | undefined = () => now,
  wanted: readonly string[] = [],
): PassPlan<T> {
  if (mode === 'due' && isHeld(hold, now)) return { queue: [], probe: false }
  const place = new Map(wanted.map((id, index) => [id, index - wanted.length]))
  const rank = ({ id }: T) => place.get(id) ?? 0
  const queue = entries
    .filter((entry) => entry.lane === 'ready' && !inFlight.has(entry.id) && (mode === 'all' || !isAhead(dueAt(entry), now)))
    .map((entry) => ({ entry, score: score({ ...entry, since: since(entry) }, now) }))
    .toSorted(
      (a, b) =>
        rank(a.entry) - rank(b.entry) ||
        Number(isOpen(b.entry)) - Number(isOpen(a.entry)) ||
        b.score - a.score ||
        (a.entry.id < b.entry.id ? -1 : 1),
    )
  return { queue: queue.map(({ entry }) => entry), probe: hold.failures > 0 }
}

function isOpen({ upload_url }: Waiting): boolean {
  return upload_url !== undefined
}

/** @returns epoch milliseconds of the next thing to do, at most `latest` */
export function nextTurn(entries: readonly Waiting[], hold: Hold, now: number, latest: number): number {
  let first = Number.POSITIVE_INFINITY
  for (const entry of entries)
    if (entry.lane === 'ready') first = Math.min(first, isAhead(dueAt(entry), now) ? dueAt(entry) : now)
  const open = isHeld(hold, now) ? hold.until : now
  return Math.max(now, Math.min(Math.max(first, open), latest))
}

function dueAt(entry: Waiting): number {
  return entry.next_at === undefined ? 0 : Date.parse(entry.next_at)
}
