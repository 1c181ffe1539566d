/** The receipt of an archive that nobody gave one: what the file, its meta.json and an older row say together. Pure. */
import type { EpisodeMeta } from '@cis490/shared/episode.ts'
import { CommitSha, type EpisodeId, HostName, type Sha256, timestamp } from '@cis490/shared/ids.ts'
import type { Receipt } from '@cis490/shared/receipt.ts'

export interface BackfillFacts {
  readonly id: EpisodeId
  readonly sha256: Sha256
  readonly bytes: number
  /** Epoch milliseconds. */
  readonly mtime: number
  readonly meta: EpisodeMeta | undefined
  /** Host that the place of the file names, or the operator. */
  readonly host: HostName | undefined
  readonly older:
    | {
        host?: HostName | undefined
        sha256?: Sha256 | undefined
        received_at?: string | undefined
        schema_version?: string | undefined
      }
    | undefined
}

export type BackfillVerdict =
  | { readonly kind: 'receipt'; readonly receipt: Receipt }
  | {
      readonly kind: 'hash-differs' | 'host-unknown' | 'host-disagrees' | 'id-disagrees' | 'meta-missing'
      readonly detail: string
    }

/** `received_at` is the older receiver's time, else the file's; `backfilled` says that it is no activity. */
export function backfillReceipt(facts: BackfillFacts): BackfillVerdict {
  const { id, sha256, bytes, meta, older } = facts
  if (older?.sha256 !== undefined && older.sha256 !== sha256)
    return { kind: 'hash-differs', detail: `its older row says ${older.sha256}, the file has ${sha256}` }
  if (meta !== undefined && meta.episode_id !== id) return { kind: 'id-disagrees', detail: 'episode_id in meta.json is another' }
  const named = HostName.safeParse(meta?.host).data
  const host = older?.host ?? named ?? facts.host
  if (host === undefined) return { kind: 'host-unknown', detail: 'neither a row nor meta.json names the host; give --host' }
  if (named !== undefined && named !== host)
    return { kind: 'host-disagrees', detail: `meta.json says ${named}, the store says ${host}` }
  const commit = CommitSha.safeParse(meta?.code_version?.commit).data
  const schemaVersion = older?.schema_version ?? (meta?.schema_version === undefined ? undefined : String(meta.schema_version))
  const dirty = meta?.code_version?.dirty
  const receipt: Receipt = {
    id,
    host,
    sha256,
    bytes,
    ...(commit && { commit }),
    received_at: older?.received_at ?? timestamp(facts.mtime),
    ...(schemaVersion !== undefined && { schema_version: schemaVersion }),
    ...(dirty !== undefined && { dirty }),
    backfilled: true,
  }
  return { kind: 'receipt', receipt }
}
