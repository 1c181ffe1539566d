/** What every row of a host has: its name and its time. */
import { readHostName } from '@cis490/shared/host-name.ts'
import { limited, parseTime, type TimeLimit } from './time.ts'

export type Row = Readonly<Record<string, unknown>>

/** used: it changed or confirmed a fact; ignored: valid, but no activity of a host; garbage: not a row. */
export type RowVerdict = 'used' | 'ignored' | 'garbage'

/** @param time the value of the row's own key for it; the host and the time to use, or why not */
export function readRow(row: Row, time: unknown, limit: TimeLimit): { host: string; at: number } | RowVerdict {
  if (row['host'] === undefined || row['host'] === null) return 'ignored'
  const host = readHostName(row['host'])
  const stamped = parseTime(time)
  if (host === undefined || stamped === undefined) return 'garbage'
  const at = limited(stamped, limit)
  return at === undefined ? 'ignored' : { host, at }
}
