/**
 * What the rules need to know of each host, folded out of the receiver's rows.
 * Every rule asks "was there one in the last n minutes", so the latest time of each kind is enough: memory is bounded by
 * the number of hosts, the order of rows does not matter, and reading a row twice changes nothing.
 */
import { isProblemCode } from '@cis490/shared/problems.ts'
import { type Row, type RowVerdict, readRow } from './host-row.ts'
import type { TimeLimit } from './time.ts'

/** The last refused PUT of one status and code. */
export interface Refused {
  readonly status: number
  readonly code: string
  last: number
  commit?: string
}

export interface Heartbeat {
  readonly at: number
  /** Entries that wait to be shipped: ready and gated. */
  readonly waiting: number
}

/** A row of rejects.jsonl. Changes the map in place. */
export function foldRefused(hosts: Map<string, Refused[]>, row: Row, limit: TimeLimit): RowVerdict {
  const status = row['status']
  if (!Number.isInteger(status)) return 'garbage'
  const read = readRow(row, row['at'], limit)
  if (typeof read === 'string') return read
  const code = isProblemCode(row['code']) ? row['code'] : 'other'
  const refused = hosts.get(read.host) ?? []
  const same = refused.find((one) => one.status === status && one.code === code)
  const commit = typeof row['commit'] === 'string' ? { commit: row['commit'].slice(0, 64) } : {}
  if (!same) refused.push({ status: status as number, code, last: read.at, ...commit })
  else if (read.at >= same.last) Object.assign(same, { last: read.at, ...commit })
  hosts.set(read.host, refused)
  return 'used'
}

/** A row of heartbeats.jsonl. Changes the map in place. */
export function foldHeartbeat(hosts: Map<string, Heartbeat>, row: Row, limit: TimeLimit): RowVerdict {
  const read = readRow(row, row['at'], limit)
  if (typeof read === 'string') return read
  const before = hosts.get(read.host)
  if (!before || read.at >= before.at) hosts.set(read.host, { at: read.at, waiting: waiting(row['outbox']) })
  return 'used'
}

function waiting(outbox: unknown): number {
  if (typeof outbox !== 'object' || outbox === null) return 0
  const { ready, gated } = outbox as Row
  return [ready, gated].reduce((sum: number, count) => sum + (typeof count === 'number' && count > 0 ? count : 0), 0)
}
