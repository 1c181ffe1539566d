/** Reclaim, finish what is delivered, then pack every finished episode that is not packed yet. */
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { listFolders, lookAt } from '../episodes/scan.ts'
import { episodeBytes } from '../episodes/usage.ts'
import { readRefused, writeRefused } from '../outbox/refused.ts'
import type { AgentContext } from './context.ts'
import { finishDelivered } from './finish-delivered.ts'
import { finishLeftovers } from './finish-leftovers.ts'
import { firstTime } from './first-time.ts'
import { packFinished } from './pack-finished.ts'
import type { GateVerdict, PackOptions } from './pack-one.ts'
import { reclaim } from './reclaim.ts'
import type { ScanResult } from './scan-result.ts'

/** The caller holds the agent's lock. Faults of single episodes are logged and counted, not thrown. */
export async function scan(context: AgentContext, options: PackOptions = {}): Promise<ScanResult> {
  const { outbox, config, now } = context
  const earlierDeletions = await finishLeftovers(context)
  const { ids, unreadable } = await listFolders(config.paths.episodes)
  const { steps } = await reclaim(context, new Set(ids))
  const used = await bytesUsed(context, ids)
  const excess = config.quota.policy === 'drop-oldest-delivered' && config.quota.bytes > 0 ? used - config.quota.bytes : 0
  const { deleted, left } = await finishDelivered(context, ids, { excess, busy: outbox.inFlight })
  const result: ScanResult = {
    packed: [],
    refused: [],
    unfinished: [],
    unreadable,
    later: [],
    reclaimed: steps,
    deleted: [...earlierDeletions.deleted, ...deleted],
    left: [...earlierDeletions.left, ...left],
    dropped: [],
  }
  const earlier = new Map((await readRefused(config.paths.state)).map((one) => [one.id, one]))
  const gateAllows = options.gateAllows && askOnce(options.gateAllows)
  let taken = excess > 0 ? await bytesUsed(context, ids) : used
  for (const id of ids) {
    options.signal?.throwIfAborted()
    // In this order: while we look, a delivery may turn the entry into a receipt, never the reverse.
    if ((await outbox.find(id)) || outbox.hasReceipt(id)) continue
    if (outbox.tombstoneOf(id)) {
      result.dropped.push(id)
      continue
    }
    const look = await lookAt(config.paths.episodes, id, now()).catch(messageOf)
    if (typeof look === 'string') {
      result.later.push({ id, reason: 'fault', detail: look })
      if (firstTime(outbox, `unreadable ${id}`))
        context.log.error({ event: 'episode-unreadable', id, cause: look }, 'could not read an episode')
      continue
    }
    const packed = result.packed.length
    await packFinished(context, id, look, { ...options, gateAllows }, result, earlier.get(id), taken)
    if (result.packed.length > packed) taken += result.packed.at(-1)?.bytes ?? 0
  }
  await writeRefused(config.paths.state, result.refused)
  return result
}

async function bytesUsed({ outbox, config }: AgentContext, ids: readonly EpisodeId[]): Promise<number> {
  if (config.quota.bytes === 0) return 0
  const waiting = (await outbox.entries()).reduce((sum, entry) => sum + entry.bytes, 0)
  return waiting + (await episodeBytes(config.paths.episodes, ids))
}

function askOnce(ask: (commit: string) => Promise<GateVerdict>): (commit: string) => Promise<GateVerdict> {
  const answers = new Map<string, Promise<GateVerdict>>()
  return (commit) => {
    const answer = answers.get(commit) ?? ask(commit)
    answers.set(commit, answer)
    return answer
  }
}
