/** One pass over the index with a bar that says how far it is. */
import { stat } from 'node:fs/promises'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'
import { readIndex } from '../store/index-reader.ts'
import type { StoreLayout } from '../store/layout.ts'

/** Below this a pass takes no time that anybody would watch. */
const worthABar = 32 << 20
const tellEvery = 10_000

/** Damaged lines are left out: fsck tells of them. */
export async function* indexRows(layout: StoreLayout, label: string): AsyncGenerator<IndexRow> {
  const total = await stat(layout.index).then(
    ({ size }) => size,
    () => 0,
  )
  const bar = total < worthABar ? undefined : makeProgress({ label, total, stream: process.stderr })
  let done = 0
  for await (const { number, bytes, row } of readIndex(layout.index)) {
    done += bytes.length + 1
    if (number % tellEvery === 0) bar?.update(done)
    if (row) yield row
  }
  bar?.done()
}
