/** Holds the index against the store: reads everything, changes nothing. */
import type { Finding } from '../core/finding.ts'
import { Picture } from './fsck/look.ts'
import type { StoreLayout } from './layout.ts'
import { storeIsBusy } from './store-lock.ts'

export interface FsckResult {
  readonly rows: number
  readonly archives: number
  readonly findings: readonly Finding[]
}

export async function fsck(layout: StoreLayout, { verifyHashes }: { verifyHashes: boolean }): Promise<FsckResult> {
  const hashes = verifyHashes ? 'always' : 'never'
  const picture = await Picture.take(layout, { hashes, running: () => storeIsBusy(layout) })
  return { rows: picture.index.lines, archives: picture.archives, findings: picture.findings() }
}
