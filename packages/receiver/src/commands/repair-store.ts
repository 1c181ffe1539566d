/** A repair from its plan to the recovery behind it. The caller holds the locks of the store and of the prunes. */
import { basename } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { inspect } from '../archive/inspect.ts'
import type { LossRow } from '../core/loss.ts'
import { planRepair, type RepairPlan, type RepairStep } from '../core/repair-plan.ts'
import { Picture } from '../store/fsck/look.ts'
import { IndexLog } from '../store/index-log.ts'
import type { EpisodeKey, StoreLayout } from '../store/layout.ts'
import { below } from '../store/quarantine.ts'
import { type Recovered, recover } from '../store/recover.ts'
import { findMisplaced, putBack } from '../store/repair/put-back.ts'
import { rebuiltRows } from '../store/repair/rebuilt-rows.ts'
import { type Backfilled, Repair } from '../store/repair/repair.ts'
import { writeIndex } from '../store/repair/write-index.ts'
import { receiptInPlace } from './give-receipt.ts'
import { whoAsks } from './who.ts'

export interface Repaired {
  readonly steps: readonly RepairStep[]
  readonly lost: readonly LossRow[]
  readonly index_before?: string
  readonly put_back: number
  readonly recovered: Recovered
}

export function planFor(layout: StoreLayout, picture: Picture): RepairPlan {
  return planRepair({
    ill: [...picture.ill.values()],
    index: picture.index.findings,
    strangers: picture.strangers.map((path) => below(layout, path)),
    tails: picture.tails,
    leftovers: picture.leftovers,
  })
}

/** @param onStep told how many steps of how many are done */
export async function repairStore(
  layout: StoreLayout,
  before: Picture,
  onStep: (done: number, total: number) => void = () => undefined,
): Promise<Repaired> {
  const misplaced = await findMisplaced(before)
  for (const one of misplaced) await putBack(layout, one)
  const picture = misplaced.length === 0 ? before : await Picture.take(layout, { hashes: before.hashes, running: () => false })
  const plan = planFor(layout, picture)
  const done = await Repair.run(layout, plan, {
    by: whoAsks(),
    now: () => Date.now(),
    backfill: (key, whole) => backfill(layout, key, whole),
    onStep: (step) => onStep(step, plan.steps.length),
  })
  await using index = await IndexLog.open(layout.index)
  return { steps: plan.steps, put_back: misplaced.length, ...done, recovered: await recover(layout, index) }
}

async function backfill(layout: StoreLayout, key: EpisodeKey, whole: boolean): Promise<Backfilled> {
  try {
    const verdict = await receiptInPlace(key.id, layout.archive(key), key.host, true)
    if (whole && verdict.kind === 'receipt') {
      const { id, host, bytes } = verdict.receipt
      const { fault } = await inspect({ path: layout.archive(key), bytes }, { id, host, stamp: undefined }, 'full')
      if (fault !== undefined) return { refused: fault }
    }
    return verdict.kind === 'receipt' ? { receipt: verdict.receipt } : { refused: `${verdict.kind}: ${verdict.detail}` }
  } catch (error) {
    // Neither a receipt nor bytes that can be read: what it was cannot be said any more.
    return { refused: `its archive cannot be read: ${messageOf(error)}` }
  }
}

/** From the receipts: rows of an older receiver that name no file of this store stay behind in the old index. */
export async function rebuildIndex(layout: StoreLayout): Promise<{ rows: number; index_before?: string }> {
  let rows = 0
  const fresh = rebuiltRows(layout, (done) => {
    rows = done
  })
  const before = await writeIndex(layout, fresh, timestamp(Date.now()))
  return { rows, ...(before !== undefined && { index_before: basename(before) }) }
}
