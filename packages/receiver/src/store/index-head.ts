/** Which index a result was made from. */

import { Sha256 } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { lineHash } from './index-log.ts'
import type { StoreLayout } from './layout.ts'
import { lineBefore } from './line-scan.ts'

export interface IndexHead {
  /** null for a row of an older receiver. */
  readonly seq: number | null
  /** SHA-256 of the row's line: what `prev` of the next one says. */
  readonly hash: Sha256
  readonly offset: number
}

/** @param offset the end of a line of the index */
export async function indexHead(layout: StoreLayout, offset: number): Promise<IndexHead | null> {
  const line = await lineBefore(layout.index, offset)
  if (line === undefined) return null
  const seq = parseObject(line.toString('utf8'))?.['seq']
  return { seq: typeof seq === 'number' ? seq : null, hash: Sha256.parse(lineHash(line)), offset }
}
