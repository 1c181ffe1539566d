/** Archives that were published without their row get one only as what their receipts say. */
import { stat } from 'node:fs/promises'
import { timestamp } from '@cis490/shared/ids.ts'
import type { Receipt } from '@cis490/shared/receipt.ts'
import { hashReadable } from './hash-file.ts'
import type { EpisodeKey, StoreLayout } from './layout.ts'
import { LossLog } from './losses.ts'
import { below, moveToQuarantine, quarantinePlace } from './quarantine.ts'

/** A crash leaves a handful of episodes without their row. So many, or so much, means that the index itself was lost, and reading all of the store would keep it shut for hours. */
const mostRead = { archives: 256, bytes: 64 * 2 ** 30 }

export interface Reading {
  readonly archives: number
  readonly bytes: number
  /** Or only their sizes are looked at. */
  readonly whole: boolean
}

/** @property bytes of all of them together */
export function planReading(receipts: readonly Receipt[]): Reading {
  const bytes = receipts.reduce((sum, receipt) => sum + receipt.bytes, 0)
  const archives = receipts.length
  return { archives, bytes, whole: archives <= mostRead.archives && bytes <= mostRead.bytes }
}

/** @returns those whose archive is what the receipt says; the others are moved away, so that their hosts can send them again */
export async function confirmRowless(
  layout: StoreLayout,
  receipts: readonly Receipt[],
  isPruned: (key: EpisodeKey) => boolean,
  onReading: (reading: Reading) => void = () => undefined,
): Promise<{ readonly whole: readonly Receipt[]; readonly damaged: number }> {
  const stored = receipts.filter((receipt) => !isPruned(receipt))
  const reading = planReading(stored)
  if (stored.length > 0) onReading(reading)
  await using losses = await LossLog.open(layout)
  const damaged = new Set<Receipt>()
  for (const receipt of stored) {
    const fault = await faultOf(layout, receipt, reading.whole)
    if (!fault) continue
    await lose(layout, losses, receipt, fault)
    damaged.add(receipt)
  }
  return { whole: receipts.filter((receipt) => !damaged.has(receipt)), damaged: damaged.size }
}

interface RowlessFault {
  readonly reason: 'wrong-size' | 'wrong-hash'
  readonly detail: string
}

async function faultOf(layout: StoreLayout, receipt: Receipt, read: boolean): Promise<RowlessFault | undefined> {
  const path = layout.archive(receipt)
  if ((await stat(path)).size !== receipt.bytes) return { reason: 'wrong-size', detail: 'found at start, without a row' }
  const sha256 = read ? await hashReadable(path) : receipt.sha256
  if (sha256 === receipt.sha256) return undefined
  const why = sha256 === undefined ? ': the disk does not give it back (EIO)' : ''
  return { reason: 'wrong-hash', detail: `found at start, without a row${why}` }
}

async function lose(layout: StoreLayout, losses: LossLog, receipt: Receipt, fault: RowlessFault): Promise<void> {
  const at = timestamp(Date.now())
  const { host, id, sha256, bytes, commit, received_at } = receipt
  const from = [layout.archive(receipt), layout.sidecar(receipt)]
  const to = await Promise.all(from.map((path) => quarantinePlace(layout, host, path, at)))
  await losses.add({
    ...{ at, host, id, ...fault, by: 'cis490-receiver' },
    ...{ sha256, bytes, received_at, ...(commit && { commit }) },
    kept: to.map((path) => below(layout, path)),
  })
  for (const [k, path] of from.entries()) await moveToQuarantine(path, to[k] as string)
}
