/** The rows of a new index, from the good rows of the old one. */
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import type { IndexRow, Receipt } from '@cis490/shared/receipt.ts'
import { receiptOfRow } from '../../core/episode-state.ts'
import { type IndexLine, readIndex } from '../index-reader.ts'
import type { EpisodeKey, StoreLayout } from '../layout.ts'
import type { NewRow } from './write-index.ts'

/** Each episode once, in the old order; what was missing follows in the order of its time. */
export async function* survivingRows(
  layout: StoreLayout,
  changes: ReadonlyMap<string, Receipt | 'gone'>,
  added: readonly Receipt[],
): AsyncGenerator<NewRow> {
  const seen = new Set<string>()
  for await (const line of readIndex(layout.index)) {
    const key = keyOf(line.row)
    if (!key) {
      // An older receiver's row that names no file of this store stays as it is.
      if (line.row?.seq === undefined && line.row) yield { line: line.text }
      continue
    }
    const name = `${key.host}/${key.id}`
    if (seen.has(name)) continue
    seen.add(name)
    const changed = changes.get(name)
    if (changed === 'gone') continue
    const row = changed ? { receipt: changed } : asItWas(line, key)
    if (row) yield row
  }
  for (const receipt of inTime(added)) if (!seen.has(`${receipt.host}/${receipt.id}`)) yield { receipt }
}

function keyOf(row: IndexRow | undefined): EpisodeKey | undefined {
  const host = HostName.safeParse(row?.host).data
  const id = EpisodeId.safeParse(row?.id).data
  return host !== undefined && id !== undefined && host === row?.host ? { host, id } : undefined
}

function asItWas({ text, row }: IndexLine, key: EpisodeKey): NewRow | undefined {
  if (row?.seq === undefined) return { line: text }
  const receipt = receiptOfRow(parseObject(text) as IndexRow, key)
  return receipt && { receipt }
}

export function inTime(receipts: readonly Receipt[]): Receipt[] {
  const name = ({ received_at, host, id }: Receipt) => `${received_at} ${host} ${id}`
  return receipts.toSorted((a, b) => (name(a) < name(b) ? -1 : 1))
}
