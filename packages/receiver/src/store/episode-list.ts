/** The stored episodes that a query asks for, in the order of the index, with what is known against them. */
import { parseObject } from '@cis490/shared/jsonl.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'
import type { TaintMark } from '@cis490/shared/taint.ts'
import { type EpisodeQuery, encodeCursor, matches, QueryFault } from '../core/episode-query.ts'
import type { Taints } from '../core/taints.ts'
import { lineHash } from './index-log.ts'
import type { StoreLayout } from './layout.ts'
import { lineBefore, scanLines } from './line-scan.ts'

/** What stands against an episode. */
export interface Marks {
  readonly tainted?: TaintMark
  readonly pruned?: { readonly at: string; readonly reason: string; readonly by: string }
}

/** An index row with its marks, and the cursor that goes on behind it. */
export type ListedEpisode = IndexRow & Marks & { readonly cursor: string }

export interface ListKnowledge {
  readonly taints: Taints
  prunedBy(row: IndexRow): Marks['pruned']
}

export interface ListSpan {
  /** Offset in the index at which the list ends. */
  readonly to?: number
  /** Told of each row that would be listed were it not tainted. */
  readonly onTainted?: (() => void) | undefined
}

/** @property at offset in the index up to which rows were looked at */
export interface ListedBatch {
  readonly episodes: readonly ListedEpisode[]
  readonly at: number
}

/** @throws QueryFault for a cursor of another index */
export async function checkCursor(layout: StoreLayout, { cursor }: EpisodeQuery): Promise<void> {
  if (!cursor) return
  const line = await lineBefore(layout.index, cursor.offset)
  if (line === undefined || shortHash(line) !== cursor.line)
    throw new QueryFault('cursor: the index was written anew since; begin without a cursor')
}

export async function* listEpisodes(
  layout: StoreLayout,
  query: EpisodeQuery,
  known: ListKnowledge,
  span: ListSpan = {},
): AsyncGenerator<ListedBatch> {
  let left = query.limit ?? Number.POSITIVE_INFINITY
  const needle = query.host && JSON.stringify(query.host)
  const { to, onTainted } = span
  for await (const { lines, at } of scanLines(layout.index, {
    ...(to !== undefined && { to }),
    from: query.cursor?.offset ?? 0,
    needle,
  })) {
    const episodes: ListedEpisode[] = []
    for (const { bytes, end } of lines) {
      // A damaged line is no episode; fsck tells of it.
      const row = asRow(parseObject(bytes.toString('utf8')))
      const listed = row && take(row, query, known, onTainted)
      if (!listed) continue
      episodes.push({ ...listed, cursor: encodeCursor({ offset: end, line: shortHash(bytes) }) })
      left -= 1
      if (left === 0) break
    }
    yield { episodes, at }
    if (left === 0) return
  }
}

function take(
  row: IndexRow,
  query: EpisodeQuery,
  { taints, prunedBy }: ListKnowledge,
  onTainted: (() => void) | undefined,
): (IndexRow & Marks) | undefined {
  const tainted = taints.of(row)
  const pruned = prunedBy(row)
  const is = { tainted: tainted !== undefined, pruned: pruned !== undefined }
  if (!matches(query, row, is)) {
    if (is.tainted && query.tainted === 'exclude' && matches(query, row, { ...is, tainted: false })) onTainted?.()
    return undefined
  }
  return { ...row, ...(tainted && { tainted }), ...(pruned && { pruned }) }
}

/** `IndexRow` by hand: the schema takes three times as long, and there may be millions. */
function asRow(value: Record<string, unknown> | undefined): IndexRow | undefined {
  if (typeof value?.['id'] !== 'string') return undefined
  const { host, sha256, received_at, commit, bytes } = value
  const texts = [host, sha256, received_at, commit ?? undefined]
  const fits = texts.every((text) => text === undefined || typeof text === 'string')
  return fits && (bytes === undefined || typeof bytes === 'number') ? (value as IndexRow) : undefined
}

function shortHash(line: Uint8Array): string {
  return lineHash(line).slice(0, 16)
}
