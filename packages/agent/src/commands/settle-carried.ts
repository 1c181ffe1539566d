/** What a stick brought is settled as the answer to an upload is. The caller holds the agent's lock. */
import { type EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import type { ReceiptPins } from '../receipts/pins.ts'
import { type Carried, listCarried, removeCarried } from '../receipts/spool.ts'
import type { AgentContext } from './context.ts'
import { finishDelivered } from './finish-delivered.ts'

/** @returns the ids that are settled now */
export async function settleCarried(context: AgentContext, pins: ReceiptPins): Promise<EpisodeId[]> {
  const { config, outbox } = context
  const settled: EpisodeId[] = []
  for (const carried of await listCarried(config.paths.state)) {
    // It may be on its way by the network at this moment; the next turn comes soon.
    if (outbox.inFlight.has(carried.id)) continue
    if (await settleOne(context, pins, carried)) settled.push(carried.id)
    await removeCarried(config.paths.state, carried.id)
  }
  return settled
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
