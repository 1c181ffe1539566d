/** Gathers what lies on disk of one episode. */
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { isErrno } from '@cis490/shared/node/errno.ts'
import {
  type EpisodeFacts,
  inDoubt,
  type RowFacts,
  readSidecar,
  receiptOfRow,
  type SidecarFacts,
} from '../../core/episode-state.ts'
import { hashReadable } from '../hash-file.ts'
import type { EpisodeKey, StoreLayout } from '../layout.ts'

/** Which archives are read to their end: none, those of which it is not clear which receipt holds or that were touched, or all. */
export type HashPolicy = 'never' | 'doubtful' | 'always'

/** @param look.uploading inodes of the files that uploads still have names for */
export async function lookEpisode(
  layout: StoreLayout,
  key: EpisodeKey,
  rows: readonly RowFacts[],
  pruned: boolean,
  { hashes, uploading }: { hashes: HashPolicy; uploading: ReadonlySet<number> },
): Promise<EpisodeFacts> {
  const path = layout.archive(key)
  const [info, sidecar] = await Promise.all([regularFile(path), lookSidecar(layout.sidecar(key), key, uploading)])
  const facts = { key, rows, sidecar, pruned, archive: info && { bytes: info.size, sha256: undefined } }
  if (!info) return facts
  const wanted = hashes === 'always' || (hashes === 'doubtful' && (inDoubt(facts) || touched(facts, info.mtimeMs)))
  if (!wanted || pruned) return facts
  // A prune that runs beside us may take it away between the two.
  const read = await hashReadable(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return 'gone'
    throw error
  })
  if (read === 'gone') return facts
  // A bad sector is the archive's fault, and no reason to look at nothing else.
  return { ...facts, archive: { bytes: info.size, sha256: read ?? 'bytes that cannot be read (EIO)' } }
}

/** The body was written before its receipt, so a later time is somebody else's. */
function touched({ key, rows, sidecar }: EpisodeFacts, mtimeMs: number): boolean {
  const receipt = sidecar.state === 'good' ? sidecar.receipt : rows[0] && receiptOfRow(rows[0].row, key)
  return receipt === undefined || (receipt.backfilled !== true && mtimeMs > Date.parse(receipt.received_at))
}

async function regularFile(path: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  try {
    const info = await lstat(path)
    return info.isFile() ? info : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** No receipt is this long. */
const longestSidecar = 1 << 20

async function lookSidecar(path: string, key: EpisodeKey, uploading: ReadonlySet<number>): Promise<SidecarFacts> {
  if (!(await regularFile(path))) return { state: 'missing' }
  await using file: FileHandle | undefined = await open(path, 'r').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  const info = await file?.stat()
  if (!file || !info) return { state: 'missing' }
  if (info.size > longestSidecar) return { state: 'damaged' }
  return readSidecar(await file.readFile('utf8'), uploading.has(info.ino), key)
}
