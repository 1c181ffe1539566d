/** What a stick brought is settled as the answer to an upload is. The caller holds the agent's lock. */
import { type EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { ReceiptPins } from '../receipts/pins.ts'
import { type Carried, listCarried, removeCarried } from '../receipts/spool.ts'
import type { AgentContext } from './context.ts'
import { finishDelivered } from './finish-delivered.ts'
import { firstTime } from './first-time.ts'

/** @returns the ids that are settled now */
export async function settleCarried(context: AgentContext, pins: ReceiptPins): Promise<EpisodeId[]> {
  const { config, outbox } = context
  const settled: EpisodeId[] = []
  const unreadable = (file: string, cause: string) => {
    if (firstTime(outbox, `carried ${file}`))
      context.log.error(
        { event: 'carried-unreadable', file, cause },
        'a receipt that a stick brought cannot be read: give it to this user',
      )
  }
  for (const carried of await listCarried(config.paths.state, unreadable)) {
    // It may be on its way by the network at this moment; the next turn comes soon.
    if (outbox.inFlight.has(carried.id)) continue
    outbox.markInFlight(carried.id)
    try {
      if (await settleOne(context, pins, carried)) settled.push(carried.id)
      await removeCarried(config.paths.state, carried.id)
    } finally {
      outbox.releaseInFlight(carried.id)
    }
  }
  return settled
}

/** The same beside other work, which a fault does not end. */
export async function settleBrought(context: AgentContext, pins: ReceiptPins): Promise<void> {
  try {
    await settleCarried(context, pins)
  } catch (error) {
    context.log.error({ event: 'settle-failed', cause: messageOf(error) }, 'could not settle what a stick brought')
  }
}

async function settleOne(context: AgentContext, pins: ReceiptPins, { id, text, signature, keys }: Carried): Promise<boolean> {
  const { outbox, log, now } = context
  const entry = await outbox.find(id)
  if (entry === undefined || parseObject(text)?.['sha256'] !== entry.sha256) return false
  await pins.add(keys, timestamp(now()))
  await outbox.settleDelivered(entry, text, signature)
  log.info({ event: 'delivered', id, bytes: entry.bytes, by: 'stick' }, 'episode delivered')
  await finishDelivered(context, [id])
  return true
}
