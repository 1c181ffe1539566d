/** The rows of a new index, from the receipts. What no receipt speaks of any more keeps its old row: it may be the only promise left. */
import { readFile } from 'node:fs/promises'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import type { Receipt } from '@cis490/shared/receipt.ts'
import { judgeEpisode, type RowFacts, receiptFor } from '../../core/episode-state.ts'
import { hashOfPhantom } from '../../core/misnamed.ts'
import { IndexPicture } from '../fsck/index-picture.ts'
import { lookEpisode } from '../fsck/look-episode.ts'
import type { EpisodeKey, StoreLayout } from '../layout.ts'
import { Prunes } from '../prunes.ts'
import { walkShelves } from '../walk.ts'
import { inTime } from './surviving-rows.ts'
import type { NewRow } from './write-index.ts'

/** The caller holds the locks of the store and of the prunes. @param onRow told how many there are until now */
export async function* rebuiltRows(layout: StoreLayout, onRow: (done: number) => void = () => undefined): AsyncGenerator<NewRow> {
  const prunes = new Prunes(layout)
  await prunes.refresh()
  const receipts = await goodReceipts(layout, prunes)
  const known = new Set(receipts.map(nameOf))
  const hashes = new Set<string>(receipts.map(({ sha256 }) => sha256))
  const older: NewRow[] = []
  const index = new IndexPicture(layout.index)
  await index.readOn()
  for (const key of index.keys()) {
    if (known.has(nameOf(key))) continue
    const row = await oldRow(layout, key, index.rowsOf(key), { pruned: prunes.has(key), hashes })
    if (!row) continue
    if ('receipt' in row) receipts.push(row.receipt)
    else older.push(row)
  }
  onRow(older.length + receipts.length)
  yield* older
  for (const receipt of inTime(receipts)) yield { receipt }
}

function nameOf({ host, id }: EpisodeKey): string {
  return `${host}/${id}`
}

/** A receipt counts with its archive, or when its episode was pruned. */
async function goodReceipts(layout: StoreLayout, prunes: Prunes): Promise<Receipt[]> {
  const receipts: Receipt[] = []
  for (const { host, archives, sidecars } of walkShelves(layout))
    for (const id of sidecars) {
      if (!archives.has(id) && !prunes.has({ host, id })) continue
      const receipt = receiptFor(parseObject(await readFile(layout.sidecar({ host, id }), 'utf8').catch(gone)), { host, id })
      if (receipt) receipts.push(receipt)
    }
  return receipts
}

function gone(error: unknown): string {
  if (isErrno(error, 'ENOENT')) return ''
  throw error
}

/** Of several rows that one which the archive agrees with. A row whose archive is gone stays, so that a repair writes the loss down. */
async function oldRow(
  layout: StoreLayout,
  key: EpisodeKey,
  rows: readonly RowFacts[],
  { pruned, hashes }: { readonly pruned: boolean; readonly hashes: ReadonlySet<string> },
): Promise<NewRow | undefined> {
  // In the new chain each row vouches for the one before: what is doubtful now must not get in unread.
  const doubtful = rows.length > 1 || rows.some(({ confirmed }) => confirmed !== true)
  const facts = await lookEpisode(layout, key, rows, pruned, { hashes: doubtful ? 'always' : 'never', uploading: new Set() })
  const phantom = hashOfPhantom(facts)
  if (phantom !== undefined && hashes.has(phantom)) return undefined
  // The next line's `prev` tells that it was edited, and nothing in the store speaks for it.
  const invented = !facts.archive && !pruned && rows.every(({ confirmed }) => confirmed === false)
  const [first] = rows
  if (!first || invented) return undefined
  if (first.row.seq === undefined) return { line: JSON.stringify(first.row) }
  const { mend } = judgeEpisode(facts)
  const receipt = mend.do === 'keep' || mend.do === 'lose' ? mend.receipt : undefined
  return receipt && { receipt }
}
