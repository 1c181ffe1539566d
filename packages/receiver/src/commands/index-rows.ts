/** One pass over the index with a bar that says how far it is. */
import { stat } from 'node:fs/promises'
import { makeProgress, type Progress } from '@cis490/shared/node/progress.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'
import { readIndex } from '../store/index-reader.ts'
import type { StoreLayout } from '../store/layout.ts'

/** Below this a pass takes no time that anybody would watch. */
const worthABar = 32 << 20
const tellEvery = 10_000

/** @returns bytes of the index; 0 where there is none */
export function indexBytes(layout: StoreLayout): Promise<number> {
  return stat(layout.index).then(
    ({ size }) => size,
    () => 0,
  )
}

/** @param total bytes to pass over. @returns undefined where no bar is needed */
export function passBar(label: string, total: number): Progress | undefined {
  return total < worthABar ? undefined : makeProgress({ label, total, stream: process.stderr })
}

/** Damaged lines are left out: fsck tells of them. */
export async function* indexRows(layout: StoreLayout, label: string): AsyncGenerator<IndexRow> {
  const bar = passBar(label, await indexBytes(layout))
  let done = 0
  for await (const { number, bytes, row } of readIndex(layout.index)) {
    done += bytes.length + 1
    if (number % tellEvery === 0) bar?.update(done)
    if (row) yield row
  }
  bar?.done()
}
