/** What every row of a host has: its name and its time. */
import { readHostName } from '@cis490/shared/host-name.ts'
import { limited, parseTime, type TimeLimit } from './time.ts'

export type Row = Readonly<Record<string, unknown>>

/** used: it changed or confirmed a fact; ignored: valid, but no activity of a host; garbage: not a row. */
export type RowVerdict = 'used' | 'ignored' | 'garbage'

/**
 * @param time the value of the row's own key for it
 * @param known names of hosts that were read before: they are not judged again
 * @returns the host and the time to use, or why not
 */
export function readRow(
  row: Row,
  time: unknown,
  limit: TimeLimit,
  known?: { has(host: string): boolean },
): { host: string; at: number } | RowVerdict {
  const named = row['host']
  if (named === undefined || named === null) return 'ignored'
  const host = typeof named === 'string' && known?.has(named) ? named : readHostName(named)
  const stamped = parseTime(time)
  if (host === undefined || stamped === undefined) return 'garbage'
  const at = limited(stamped, limit)
  return at === undefined ? 'ignored' : { host, at }
}
