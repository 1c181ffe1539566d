/** Which rows of the index somebody wants to see: the same words on the wire and on the command line. */
import { parseDuration } from '@cis490/shared/duration.ts'
import { HostName } from '@cis490/shared/ids.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'

/** `exclude` leaves marked episodes out, `only` leaves everything else out. */
export type Marked = 'exclude' | 'include' | 'only'

export interface EpisodeQuery {
  /** A whole commit or the beginning of one, lower-case. */
  readonly commit?: string
  readonly host?: HostName
  /** Epoch milliseconds: received then or later. */
  readonly since?: number
  /** Received before. */
  readonly until?: number
  readonly tainted: Marked
  readonly pruned: Marked
  readonly cursor?: Cursor
  readonly limit?: number
}

/** Where to go on: behind the row whose line ended there and had this hash. */
export interface Cursor {
  readonly offset: number
  /** The first 16 hexadecimal digits of its SHA-256: tells an index that was written anew. */
  readonly line: string
}

export type QueryFields = Readonly<Partial<Record<QueryKey, string | undefined>>>
export const queryKeys = ['commit', 'host', 'since', 'until', 'tainted', 'pruned', 'cursor', 'limit'] as const
export type QueryKey = (typeof queryKeys)[number]

/** @property key what is wrong with which field */
export class QueryFault extends Error {
  override readonly name = 'QueryFault'
}

const marked: Readonly<Record<string, Marked>> = {
  ...{ exclude: 'exclude', false: 'exclude', 0: 'exclude' },
  ...{ include: 'include', true: 'include', 1: 'include' },
  only: 'only',
}

/** @param now epoch milliseconds, for a time that is told as "24h" ago. @throws QueryFault */
export function parseQuery(fields: QueryFields, now: number): EpisodeQuery {
  return {
    ...given('commit', fields.commit, parseCommit),
    ...given('host', fields.host, parseHost),
    ...given('since', fields.since, (text) => parseTime('since', text, now)),
    ...given('until', fields.until, (text) => parseTime('until', text, now)),
    tainted: fields.tainted === undefined ? 'exclude' : parseMarked('tainted', fields.tainted),
    pruned: fields.pruned === undefined ? 'exclude' : parseMarked('pruned', fields.pruned),
    ...given('cursor', fields.cursor, parseCursor),
    ...given('limit', fields.limit, parseLimit),
  }
}

export function encodeCursor({ offset, line }: Cursor): string {
  return `${offset}.${line}`
}

/** @param is what is known of the row besides itself */
export function matches(query: EpisodeQuery, row: IndexRow, is: { tainted: boolean; pruned: boolean }): boolean {
  const { commit, host, since, until } = query
  if (commit !== undefined && !row.commit?.toLowerCase().startsWith(commit)) return false
  if (host !== undefined && row.host !== host) return false
  if (!fits(query.tainted, is.tainted) || !fits(query.pruned, is.pruned)) return false
  if (since === undefined && until === undefined) return true
  // A row without a time, of an older receiver, is in no span.
  const at = Date.parse(row.received_at ?? '')
  return at >= (since ?? Number.NEGATIVE_INFINITY) && at < (until ?? Number.POSITIVE_INFINITY)
}

function fits(wanted: Marked, is: boolean): boolean {
  return wanted === 'include' || is === (wanted === 'only')
}

function given<K extends string, T>(key: K, text: string | undefined, parse: (text: string) => T): { [key in K]?: T } {
  return text === undefined ? {} : ({ [key]: parse(text) } as { [key in K]?: T })
}

function parseCommit(text: string): string {
  if (/^[0-9a-f]{7,64}$/i.test(text)) return text.toLowerCase()
  throw new QueryFault('commit: 7 to 64 hexadecimal digits are expected')
}

function parseHost(text: string): HostName {
  const host = HostName.safeParse(text).data
  if (host === undefined) throw new QueryFault('host: a host name is letters, digits, dots and hyphens')
  return host
}

function parseTime(key: string, text: string, now: number): number {
  const ago = parseDuration(text)
  if (ago !== undefined) return now - ago
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text)
  // A time without an offset would mean another moment on another machine. A plus sign in a query arrives as a space.
  const whole = text.replace(/ (?=\d{2}:\d{2}$)/, '+')
  const at = day || /T.*(?:Z|[+-]\d{2}:\d{2})$/i.test(whole) ? Date.parse(whole) : Number.NaN
  if (Number.isNaN(at))
    throw new QueryFault(`${key}: a day like 2026-11-01, a time like 2026-11-01T12:00:00Z, or how long ago like 24h`)
  return at
}

function parseMarked(key: string, text: string): Marked {
  const word = Object.hasOwn(marked, text) ? marked[text] : undefined
  if (word === undefined) throw new QueryFault(`${key}: exclude, include or only is expected`)
  return word
}

function parseCursor(text: string): Cursor {
  const match = /^(\d{1,15})\.([0-9a-f]{16})$/.exec(text)
  if (!match) throw new QueryFault('cursor: give the cursor of a row that was listed before, as it is')
  return { offset: Number(match[1]), line: match[2] as string }
}

function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new QueryFault('limit: a number of rows from 1 on is expected')
}
