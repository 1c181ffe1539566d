/** What shipping works with, and the little that it remembers between passes. */
import type { EpisodeId } from '@cis490/shared/ids.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { type Hold, noHold } from '../core/backoff.ts'
import type { GateMemory } from '../core/gate-lane.ts'
import type { Entry } from '../outbox/entry.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { ReceiptPins } from '../receipts/pins.ts'
import type { Client } from '../ship/client.ts'
import type { Pace } from '../ship/pace.ts'
import type { Teller } from './tell.ts'

export interface Shipping {
  readonly outbox: Outbox
  readonly log: Logger
  readonly teller: Teller
  /** Asked for each receipt: which keys are believed. */
  readonly pins: ReceiptPins
  readonly concurrency: number
  readonly now: () => number
  readonly random: () => number
  /** Asked for each attempt: a renewed certificate brings a new client. */
  readonly client: () => Client
  /** After the receipt: the episode's folder goes, or stays as a second copy. */
  readonly forgetFolder: (id: EpisodeId) => Promise<void>
  readonly folderExists: (id: EpisodeId) => Promise<boolean>
  /** Told the bytes that were sent; negative ones did not arrive. */
  readonly onProgress: (entry: Entry, bytes: number) => void
  readonly pace: Pace
  /** Ids that the receiver asked for. */
  readonly wanted: () => readonly string[]
  readonly memory: ShippingMemory
}

export interface ShippingMemory {
  hold: Hold
  /** Attempts in a row that ended with this code. */
  streak: { readonly code: string; readonly count: number }
  gate: GateMemory | undefined
  /** Called when the receiver has answered in the middle of a transfer. */
  reached: (() => void) | undefined
  /** When the receiver turned out not to know resumable uploads. Epoch milliseconds. */
  plainSince: number | undefined
}

export function freshMemory(): ShippingMemory {
  return { hold: noHold, streak: { code: '', count: 0 }, gate: undefined, reached: undefined, plainSince: undefined }
}
