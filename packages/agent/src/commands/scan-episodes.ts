/** Reclaim, finish what is delivered, then pack every finished episode that is not packed yet. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { priorityOf, score } from '../core/priority.ts'
import type { SecondCopy } from '../core/quota.ts'
import { listFolders, lookAt, readUrgency } from '../episodes/scan.ts'
import { readRefused, writeRefused } from '../outbox/refused.ts'
import type { AgentContext } from './context.ts'
import { finishDelivered, type LeftFolder } from './finish-delivered.ts'
import { finishLeftovers } from './finish-leftovers.ts'
import { firstTime } from './first-time.ts'
import { Rooms } from './make-room.ts'
import { packFinished } from './pack-finished.ts'
import type { GateVerdict, PackOptions } from './pack-one.ts'
import { tellPacking } from './packing-alarm.ts'
import { reclaim } from './reclaim.ts'
import type { ScanResult } from './scan-result.ts'

/** The caller holds the agent's lock. Faults of single episodes are logged and counted, not thrown. */
export async function scan(context: AgentContext, options: PackOptions = {}): Promise<ScanResult> {
  const { outbox, config, now } = context
  const earlierDeletions = await finishLeftovers(context)
  const { ids, unreadable } = await listFolders(config.paths.episodes)
  const { steps } = await reclaim(context, new Set(ids))
  context.reserve?.keep()
  const { deleted, left } = await finishDelivered(context, ids, outbox.inFlight)
  const rooms = await Rooms.open(context, secondCopies(left))
  const result: ScanResult = {
    packed: [],
    refused: [],
    unfinished: [],
    unreadable,
    later: [],
    reclaimed: steps,
    deleted: [...earlierDeletions.deleted, ...deleted],
    left: [...earlierDeletions.left, ...left],
    freed: rooms.freed,
    dropped: [],
  }
  const earlier = new Map((await readRefused(config.paths.state)).map((one) => [one.id, one]))
  const gateAllows = options.gateAllows && askOnce(options.gateAllows)
  const toPack = await unpacked(context, ids, result)
  // Before the first is packed: packing is what may disturb a recording.
  if (toPack.some((id) => !existsSync(join(config.paths.episodes, id, 'meta.json')))) options.onRecording?.()
  for (const id of await inOrder(context, toPack)) {
    options.signal?.throwIfAborted()
    const look = await lookAt(config.paths.episodes, id, now()).catch(messageOf)
    if (typeof look === 'string') {
      result.later.push({ id, reason: 'fault', detail: look })
      if (firstTime(outbox, `unreadable ${id}`))
        context.log.error({ event: 'episode-unreadable', id, cause: look }, 'could not read an episode')
      continue
    }
    if (look.verdict.state === 'recording') options.onRecording?.()
    await packFinished(context, id, look, { ...options, gateAllows }, result, earlier.get(id), rooms)
  }
  const stopped = result.later.find((one) => one.reason === 'quota' || one.reason === 'disk-full')
  tellPacking(context, stopped as Parameters<typeof tellPacking>[1])
  result.left.splice(0, result.left.length, ...result.left.filter((one) => !rooms.freed.some(({ id }) => id === one.id)))
  await writeRefused(config.paths.state, result.refused)
  return result
}

function secondCopies(left: readonly LeftFolder[]): SecondCopy[] {
  return left.flatMap(({ id, reason, bytes, received_at }) =>
    reason === 'second-copy' && bytes !== undefined && received_at !== undefined ? [{ id, bytes, received_at }] : [],
  )
}

/** What is neither packed, delivered nor given up. */
async function unpacked({ outbox }: AgentContext, ids: readonly EpisodeId[], result: ScanResult): Promise<EpisodeId[]> {
  const found: EpisodeId[] = []
  for (const id of ids) {
    // In this order: while we look, a delivery may turn the entry into a receipt, never the reverse.
    if ((await outbox.find(id)) || outbox.hasReceipt(id)) continue
    if (outbox.tombstoneOf(id)) result.dropped.push(id)
    else found.push(id)
  }
  return found
}

/** The most urgent first; among equals by id. */
async function inOrder({ config, now }: AgentContext, ids: readonly EpisodeId[]): Promise<EpisodeId[]> {
  const ranked: { id: EpisodeId; score: number }[] = []
  for (const id of ids) {
    const urgency = await readUrgency(config.paths.episodes, id).catch(() => undefined)
    const rank = { priority: priorityOf(urgency?.priority), since: urgency?.since ?? now() }
    ranked.push({ id, score: score(rank, now()) })
  }
  return ranked.toSorted((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).map(({ id }) => id)
}

function askOnce(ask: (commit: string) => Promise<GateVerdict>): (commit: string) => Promise<GateVerdict> {
  const answers = new Map<string, Promise<GateVerdict>>()
  return (commit) => {
    const answer = answers.get(commit) ?? ask(commit)
    answers.set(commit, answer)
    return answer
  }
}
