/** What a scan did and found. */
import type { EpisodeId } from '@cis490/shared/ids.ts'
import type { Finished } from '../core/finished.ts'
import type { ReclaimStep } from '../core/outbox-plan.ts'
import type { RoomVerdict, SecondCopy } from '../core/quota.ts'
import type { Entry } from '../outbox/entry.ts'
import type { Refused } from '../outbox/refused.ts'
import type { LeftFolder } from './finish-delivered.ts'

export type Unfinished = { readonly id: EpisodeId } & Exclude<Finished, { state: 'finished' }>

export interface ScanResult {
  readonly packed: Entry[]
  /** Every finished episode that cannot be packed as it is, old ones included. */
  readonly refused: Refused[]
  readonly unfinished: Unfinished[]
  readonly unreadable: { readonly name: string; readonly reason: string }[]
  /** Finished, and to be packed by a later scan. */
  readonly later: {
    readonly id: EpisodeId
    readonly reason: 'fault' | Exclude<RoomVerdict, 'enough'> | 'paused' | 'directive' | 'outside-window' | 'pressure'
    readonly detail?: string
  }[]
  readonly reclaimed: readonly ReclaimStep[]
  readonly deleted: EpisodeId[]
  /** Delivered folders that are still there. */
  readonly left: LeftFolder[]
  /** Second copies that made room. */
  readonly freed: readonly SecondCopy[]
  /** Given up by a person; the folder stays and is not packed. */
  readonly dropped: EpisodeId[]
}
