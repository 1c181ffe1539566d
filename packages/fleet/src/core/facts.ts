/**
 * What the rules need to know of each host, folded out of the receiver's rows.
 * Every rule asks "was there one in the last n minutes", so the latest time of each kind is enough: memory is bounded by
 * the number of hosts, the order of rows does not matter, and reading a row twice changes nothing.
 */
import { HostName } from '@cis490/shared/ids.ts'
import { isProblemCode } from '@cis490/shared/problems.ts'
import { limited, parseTime, type TimeLimit } from './time.ts'

type Row = Readonly<Record<string, unknown>>

/** used: it changed or confirmed a fact; ignored: valid, but no activity of a host; garbage: not a row. */
export type RowVerdict = 'used' | 'ignored' | 'garbage'

/** Stored episodes of a host; times in epoch milliseconds. */
export interface Accepted {
  last: number
  /** The last row without a commit. */
  unstamped?: number
}

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

/** A row of index.jsonl. Back-filled rows and rows without a host are no activity. Changes the map in place. */
export function foldAccepted(hosts: Map<string, Accepted>, row: Row, limit: TimeLimit): RowVerdict {
  const read = readRow(row, row['received_at'], limit)
  if (typeof read === 'string') return read
  if (row['backfilled'] === true) return 'ignored'
  noteAccepted(acceptedOf(hosts, read.host, read.at), read.at, Boolean(row['commit']))
  return 'used'
}

/** The facts of a host, made at its first episode. */
export function acceptedOf(hosts: Map<string, Accepted>, host: string, at: number): Accepted {
  const known = hosts.get(host)
  if (known) return known
  const facts: Accepted = { last: at }
  hosts.set(host, facts)
  return facts
}

/** One more episode, of any order in time. */
export function noteAccepted(facts: Accepted, at: number, stamped: boolean): void {
  if (at > facts.last) facts.last = at
  if (!stamped && (facts.unstamped === undefined || at > facts.unstamped)) facts.unstamped = at
}

/**
 * Adds what was folded out of other rows. Both facts are the latest of a set of times, so the order of the parts and a row
 * that is in two of them do not matter: whatever way the rows are cut, the whole is the same.
 */
export function mergeAccepted(into: Map<string, Accepted>, part: ReadonlyMap<string, Accepted>): void {
  for (const [host, { last, unstamped }] of part) {
    const facts = acceptedOf(into, host, last)
    noteAccepted(facts, last, true)
    if (unstamped !== undefined) noteAccepted(facts, unstamped, false)
  }
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

function readRow(row: Row, time: unknown, limit: TimeLimit): { host: string; at: number } | RowVerdict {
  if (row['host'] === undefined || row['host'] === null) return 'ignored'
  const host = hostName(row['host'])
  const stamped = parseTime(time)
  if (host === undefined || stamped === undefined) return 'garbage'
  const at = limited(stamped, limit)
  return at === undefined ? 'ignored' : { host, at }
}

const plainHost = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** @returns the name when it is one as it stands, not only after lower-casing */
export function canonicalHost(name: string): string | undefined {
  return hostName(name) === name ? name : undefined
}

/** The usual short name is recognised without the schema: this runs for every row of an index of millions. */
function hostName(value: unknown): string | undefined {
  return typeof value === 'string' && plainHost.test(value) ? value : HostName.safeParse(value).data
}
