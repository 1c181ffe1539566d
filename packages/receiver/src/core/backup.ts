/** `backup.json`: says of a folder that it is a backup, and how far it goes. Pure. */
import { EpisodeId, HostName, Sha256 } from '@cis490/shared/ids.ts'
import type { IndexRow } from '@cis490/shared/receipt.ts'
import { z } from 'zod'
import type { EpisodeKey } from './episode-key.ts'
import { receiptOfRow } from './episode-state.ts'

export const BackupMark = z.looseObject({
  format: z.literal(1),
  /** When the index was copied: every episode that had its row by then is in it. */
  at: z.string(),
  from: z.string(),
  rows: z.int(),
})
export type BackupMark = z.infer<typeof BackupMark>

/** `restore.json`: from where a restore comes that has not ended. */
export const RestoreMark = z.looseObject({ from: z.string(), at: z.string() })

/** An episode that has to come along; rows of an older receiver may not say what its archive is. */
export interface Cargo {
  readonly key: EpisodeKey
  readonly sha256: Sha256 | undefined
  readonly bytes: number | undefined
  /** The sidecar's bytes; an older receiver's row does not have them. */
  readonly receipt: string | undefined
}

/** @param row as it was written: the order of its keys is the receipt's. @returns undefined for a row that names no file of the store */
export function cargoOf(row: IndexRow): Cargo | undefined {
  const host = HostName.safeParse(row.host).data
  const id = EpisodeId.safeParse(row.id).data
  if (host === undefined || id === undefined || host !== row.host) return undefined
  const key = { host, id }
  const receipt = row.seq === undefined ? undefined : receiptOfRow(row, key)
  return { key, sha256: Sha256.safeParse(row.sha256).data, bytes: row.bytes, receipt: receipt && JSON.stringify(receipt) }
}
