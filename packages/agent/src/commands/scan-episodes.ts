/** Reclaim, finish what is delivered, then pack every finished episode that is not packed yet. */
import { type EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import type { Finished } from '../core/finished.ts'
import type { ReclaimStep } from '../core/outbox-plan.ts'
import { judgeRoom, type RoomVerdict } from '../core/quota.ts'
import { EpisodeChanged, PackRefused } from '../episodes/pack.ts'
import { type Look, listFolders, lookAt } from '../episodes/scan.ts'
import { fingerprint } from '../episodes/tree.ts'
import { episodeBytes, freeBytes } from '../episodes/usage.ts'
import type { Entry } from '../outbox/entry.ts'
import { type Refused, readRefused, writeRefused } from '../outbox/refused.ts'
import type { AgentContext } from './context.ts'
import { finishDelivered, type LeftFolder } from './finish-delivered.ts'
import { firstTime } from './first-time.ts'
import { type GateVerdict, type PackOptions, packOne } from './pack-one.ts'
import { reclaim } from './reclaim.ts'

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
    readonly reason: 'fault' | Exclude<RoomVerdict, 'enough'>
    readonly detail?: string
  }[]
  readonly reclaimed: readonly ReclaimStep[]
  readonly deleted: EpisodeId[]
  /** Delivered folders that are still there. */
  readonly left: LeftFolder[]
  /** Given up by a person; the folder stays and is not packed. */
  readonly dropped: EpisodeId[]
}

/** The caller holds the agent's lock. Faults of single episodes are logged and counted, not thrown. */
export async function scan(context: AgentContext, options: PackOptions = {}): Promise<ScanResult> {
  const { outbox, config, now } = context
  const { ids, unreadable } = await listFolders(config.paths.episodes)
  const { steps } = await reclaim(context, new Set(ids))
  const used = await bytesUsed(context, ids)
  const excess = config.quota.policy === 'drop-oldest-delivered' && config.quota.bytes > 0 ? used - config.quota.bytes : 0
  const { deleted, left } = await finishDelivered(context, ids, excess)
  const result: ScanResult = {
    packed: [],
    refused: [],
    unfinished: [],
    unreadable,
    later: [],
    reclaimed: steps,
    deleted,
    left,
    dropped: [],
  }
  const earlier = new Map((await readRefused(config.paths.state)).map((one) => [one.id, one]))
  const gateAllows = options.gateAllows && askOnce(options.gateAllows)
  let taken = excess > 0 ? await bytesUsed(context, ids) : used
  for (const id of ids) {
    options.signal?.throwIfAborted()
    if (outbox.hasReceipt(id) || (await outbox.find(id))) continue
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
    await judge(context, id, look, { ...options, gateAllows }, result, earlier.get(id), taken)
    if (result.packed.length > packed) taken += result.packed.at(-1)?.bytes ?? 0
  }
  await writeRefused(config.paths.state, result.refused)
  return result
}

async function judge(
  context: AgentContext,
  id: EpisodeId,
  { verdict, tree }: Look,
  options: PackOptions,
  result: ScanResult,
  earlier: Refused | undefined,
  used: number,
): Promise<void> {
  const { config, outbox, log, now } = context
  if (verdict.state !== 'finished') {
    result.unfinished.push({ id, ...verdict })
    if (verdict.state !== 'recording' && firstTime(outbox, `${verdict.state} ${id}`))
      log.warn(
        { event: `episode-${verdict.state}`, id, ...verdict, remedy: remedyOf(verdict.state) },
        'an episode is not finished and will not be by itself',
      )
    return
  }
  const print = fingerprint(tree)
  if (earlier?.tree === print.tree) {
    result.refused.push(earlier)
    return
  }
  const free = await freeBytes(config.paths.outbox)
  const room = judgeRoom({ used, quota: config.quota.bytes, free, reserve: config.quota.reserve }, print.bytes)
  if (room !== 'enough') {
    result.later.push({ id, reason: room })
    if (firstTime(outbox, `room ${room}`))
      log.error({ event: 'packing-stopped', reason: room, id }, 'no room to pack: free disk space or raise the quota')
    return
  }
  try {
    const entry = await packOne(context, verdict.meta, tree, options)
    result.packed.push(entry)
    log.info({ event: 'packed', id, bytes: entry.bytes, lane: entry.lane }, 'packed an episode')
  } catch (error) {
    options.signal?.throwIfAborted()
    if (error instanceof EpisodeChanged) result.unfinished.push({ id, state: 'recording', reason: 'changed-while-packing' })
    else if (error instanceof PackRefused) {
      const commit = verdict.meta.code_version?.commit
      const { path, reason } = error
      result.refused.push({
        id,
        path,
        reason,
        at: timestamp(now()),
        ...(commit === undefined ? {} : { commit }),
        bytes: print.bytes,
        tree: print.tree,
      })
      log.error({ event: 'pack-refused', id, path, reason }, 'an episode holds what no archive may carry: mend its folder')
    } else {
      result.later.push({ id, reason: isErrno(error, 'ENOSPC', 'EDQUOT') ? 'disk-full' : 'fault', detail: messageOf(error) })
      log.error({ event: 'pack-failed', id, cause: messageOf(error) }, 'could not pack an episode')
    }
  }
}

function remedyOf(state: 'stuck' | 'invalid'): string {
  return state === 'stuck' ? 'touch meta.json' : 'write a valid meta.json'
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
