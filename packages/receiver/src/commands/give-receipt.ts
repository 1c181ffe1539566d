/** A receipt for an archive that has none: what the file, its meta.json and an older row say together. */
import { stat } from 'node:fs/promises'
import { EpisodeId, type HostName, Sha256 } from '@cis490/shared/ids.ts'
import { readMeta } from '../archive/read-meta.ts'
import { type BackfillVerdict, backfillReceipt } from '../core/backfill.ts'
import { hashFile } from '../store/hash-file.ts'
import type { OlderEpisode } from '../store/older-store.ts'

/** @param host that the place of the file names, or the operator. @param needsMeta an archive without a readable meta.json is none */
export async function receiptFromFile(
  { id, path, row }: OlderEpisode,
  host: HostName | undefined,
  needsMeta = false,
): Promise<BackfillVerdict> {
  const [info, sha256, meta] = [await stat(path), Sha256.parse(await hashFile(path)), await readMeta(path, id)]
  if (needsMeta && !meta) return { kind: 'meta-missing', detail: 'it holds no meta.json that can be read' }
  return backfillReceipt({ id: EpisodeId.parse(id), sha256, bytes: info.size, mtime: info.mtimeMs, meta, host, older: row })
}

/** The same for an archive that lies in the store: its folder names the host, and nothing else may. */
export async function receiptInPlace(id: EpisodeId, path: string, host: HostName, needsMeta = false): Promise<BackfillVerdict> {
  const verdict = await receiptFromFile({ id, path, row: undefined }, host, needsMeta)
  if (verdict.kind !== 'receipt' || verdict.receipt.host === host) return verdict
  return { kind: 'host-disagrees', detail: `meta.json says ${verdict.receipt.host}, it lies under ${host}` }
}
