/** Writes a damaged sidecar anew from the episode's row, where the archive is what that row says. */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { moveOver, writeNew } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { IndexRow, type Receipt } from '@cis490/shared/receipt.ts'
import { receiptOfRow } from '../core/episode-state.ts'
import { hashFile } from './hash-file.ts'
import type { EpisodeKey, StoreLayout } from './layout.ts'
import type { Prunes } from './prunes.ts'

/** @returns undefined when it is mended, else why not */
export async function mendSidecar(layout: StoreLayout, key: EpisodeKey, prunes: Prunes): Promise<string | undefined> {
  const pruned = await prunes.find(key)
  const receipts = await receiptsOf(layout, key)
  if (receipts.length === 0) return 'the index has no row for it'
  const stored = pruned ?? (await readArchive(layout.archive(key)))
  const receipt = receipts.find(({ sha256, bytes }) => sha256 === stored.sha256 && bytes === stored.bytes)
  if (!receipt) return 'its archive is not what its row says'
  const temp = join(layout.incoming, `${randomUUID()}.json`)
  await writeNew(temp, JSON.stringify(receipt))
  await moveOver(temp, layout.sidecar(key))
  return undefined
}

async function readArchive(path: string): Promise<{ sha256: string; bytes: number }> {
  return { sha256: await hashFile(path), bytes: (await stat(path)).size }
}

/** Receipts of which rows speak. Only lines that hold the id are parsed: the whole index is read for one row. */
export async function receiptsOf(layout: StoreLayout, key: EpisodeKey): Promise<Receipt[]> {
  const needle = Buffer.from(JSON.stringify(key.id))
  const found: Receipt[] = []
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of createReadStream(layout.index, { highWaterMark: 4 << 20 })) {
      const bytes: Buffer = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
      const complete = bytes.lastIndexOf(0x0a) + 1
      for (let at = bytes.indexOf(needle); at >= 0 && at < complete; at = bytes.indexOf(needle, at + 1)) {
        const line = bytes.subarray(bytes.lastIndexOf(0x0a, at) + 1, bytes.indexOf(0x0a, at)).toString('utf8')
        const value = parseObject(line)
        const receipt = IndexRow.safeParse(value).success ? receiptOfRow(value as IndexRow, key) : undefined
        if (receipt) found.push(receipt)
      }
      rest = bytes.subarray(complete)
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  return found
}
