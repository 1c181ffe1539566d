/** When the receiver itself was away, from its own log: up, down, and a line a minute. */
import type { RowVerdict } from './host-row.ts'
import { limited, parseTime, type TimeLimit } from './time.ts'

/** Two lines missed and some slack: longer than this without a line means that the receiver was not there. */
const longestGap = 150_000

/** Intervals that are remembered at most; older ones go first. */
const mostIntervals = 1000

export interface Presence {
  /** The latest row; undefined: nothing was ever written, which counts as up. */
  last: { at: number; down: boolean } | undefined
  /** [from, to) in epoch milliseconds, in order. */
  readonly down: [number, number][]
}

/** A row of events/receiver.jsonl. Changes the value in place. Rows from before the latest one (a clock that stepped back) are left out. */
export function foldPresence(presence: Presence, row: Readonly<Record<string, unknown>>, limit: TimeLimit): RowVerdict {
  const stamped = parseTime(row['at'])
  if (stamped === undefined || typeof row['event'] !== 'string') return 'garbage'
  const at = limited(stamped, limit)
  if (at === undefined || (presence.last && at < presence.last.at)) return 'ignored'
  const gap = gapBefore(presence, at)
  if (gap) presence.down.push(gap)
  if (presence.down.length > mostIntervals) presence.down.shift()
  presence.last = { at, down: row['event'] === 'down' }
  return 'used'
}

function gapBefore({ last }: Presence, at: number): [number, number] | undefined {
  return last && at > last.at && (last.down || at - last.at > longestGap) ? [last.at, at] : undefined
}

/** Where a judgement stands in time, epoch milliseconds. */
export interface Standpoint {
  readonly at: number
  /** The wall clock. A judgement of a later moment must not take minutes that nobody could log yet for an absence. */
  readonly clock: number
}

/** The absence that still lasts. */
function openGap(presence: Presence, { at, clock }: Standpoint): [number, number] | undefined {
  return gapBefore(presence, presence.last?.down ? at : Math.min(at, clock))
}

/** Since when the receiver is away; undefined while it is there. */
export function awaySince(presence: Presence, standpoint: Standpoint): number | undefined {
  return openGap(presence, standpoint)?.[0]
}

/** How much of the time from `from` the receiver was there, in milliseconds. */
export function presentTime(presence: Presence, from: number, standpoint: Standpoint): number {
  const { at } = standpoint
  const open = openGap(presence, standpoint)
  const away = (open ? [...presence.down, open] : presence.down).reduce(
    (sum, [start, end]) => sum + Math.max(0, Math.min(end, at) - Math.max(start, from)),
    0,
  )
  return Math.max(0, at - from - away)
}
