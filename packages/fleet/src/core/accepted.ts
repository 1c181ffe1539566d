/**
 * The latest stored episodes of each host, folded out of the rows of the index.
 * This runs in threads that are started for one read, so it stands apart from what needs schemas.
 */
import { readHostName } from '@cis490/shared/host-name.ts'
import { type Row, type RowVerdict, readRow } from './host-row.ts'
import type { TimeLimit } from './time.ts'

/** Stored episodes of a host; times in epoch milliseconds. */
export interface Accepted {
  last: number
  /** The last row without a commit. */
  unstamped?: number
}

/** A row of index.jsonl. Back-filled rows and rows without a host are no activity. Changes the map in place. */
export function foldAccepted(hosts: Map<string, Accepted>, row: Row, limit: TimeLimit): RowVerdict {
  const read = readRow(row, row['received_at'], limit, hosts)
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

/** @returns the name when it is one as it stands, not only after lower-casing */
export function canonicalHost(name: string): string | undefined {
  return readHostName(name) === name ? name : undefined
}
