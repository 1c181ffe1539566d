/** Writes `index.jsonl` anew, chained from its first row. The old file keeps a name of its own. */
import { type FileHandle, open } from 'node:fs/promises'
import { linkNew, moveOver, removeFile, syncDir, writeAll } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { firstPrev, type Receipt } from '@cis490/shared/receipt.ts'
import { lineHash } from '../index-log.ts'
import type { StoreLayout } from '../layout.ts'

/** A receipt that gets its place in the chain, or the line of an older receiver, which has none. */
export type NewRow = { readonly receipt: Receipt } | { readonly line: string }

const batchBytes = 1 << 20

/**
 * Killed at any moment the old index is in place, or the new one; a half-written new one is begun again.
 * @returns path of the old index; undefined where there was none
 */
export async function writeIndex(
  layout: StoreLayout,
  rows: AsyncIterable<NewRow> | Iterable<NewRow>,
  stamp: string,
): Promise<string | undefined> {
  const fresh = `${layout.index}.new`
  await removeFile(fresh)
  const file = await open(fresh, 'wx', 0o640)
  try {
    await writeRows(file, rows)
    await file.sync()
  } finally {
    await file.close()
  }
  const before = await keepOld(layout, stamp.replace(/[-:.]/g, ''))
  await syncDir(layout.root)
  await moveOver(fresh, layout.index)
  return before
}

async function writeRows(file: FileHandle, rows: AsyncIterable<NewRow> | Iterable<NewRow>): Promise<void> {
  let seq = 0
  let prev = firstPrev
  let batch = ''
  for await (const row of rows) {
    seq += 1
    const line = 'line' in row ? row.line : JSON.stringify({ ...row.receipt, seq, prev })
    prev = lineHash(line)
    batch += `${line}\n`
    if (batch.length < batchBytes) continue
    await writeAll(file, Buffer.from(batch))
    batch = ''
  }
  await writeAll(file, Buffer.from(batch))
}

async function keepOld(layout: StoreLayout, stamp: string): Promise<string | undefined> {
  for (let k = 0; ; k += 1) {
    const before = `${layout.index}.before-${stamp}${k === 0 ? '' : `-${k}`}`
    try {
      if (linkNew(layout.index, before)) return before
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }
}
