/** The last step of a delivery: the episode's folder goes, or stays as a second copy. What cannot go counts as delivered all the same. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { changedSince, type DeliveredFolder, planDelivered } from '../core/delivered-plan.ts'
import { deleteEpisode } from '../episodes/delete.ts'
import { fingerprint, walkTree } from '../episodes/tree.ts'
import type { AgentContext } from './context.ts'
import { firstTime } from './first-time.ts'

export interface LeftFolder {
  readonly id: EpisodeId
  readonly reason: 'second-copy' | 'changed-after-delivery' | 'not-deletable'
  readonly detail?: string
}

export interface Finished {
  readonly deleted: EpisodeId[]
  /** Delivered folders that are still there: shown, never shipped again. */
  readonly left: LeftFolder[]
}

/**
 * @param folders ids of the episode folders that are there; those without a receipt are left alone
 * @param excess bytes that the quota wants back from the second copies
 */
export async function finishDelivered(context: AgentContext, folders: Iterable<EpisodeId>, excess = 0): Promise<Finished> {
  const { outbox, config, log } = context
  const delivered: DeliveredFolder[] = []
  const left: LeftFolder[] = []
  for (const id of folders) {
    if (!outbox.hasReceipt(id) || (await outbox.find(id))) continue
    const folder = await look(context, id).catch(messageOf)
    if (typeof folder === 'string') left.push({ id, reason: 'not-deletable', detail: folder })
    else if (folder) delivered.push(folder)
  }
  const deleted: EpisodeId[] = []
  const there = delivered.reduce((sum, folder) => sum + folder.bytes, 0)
  const keepBytes = excess > 0 ? Math.min(config.ship.keep_shipped, Math.max(0, there - excess)) : config.ship.keep_shipped
  for (const { id, act, reason } of planDelivered(delivered, keepBytes)) {
    const detail = act === 'delete' ? await deleteEpisode(config.paths.episodes, id) : undefined
    if (act === 'delete' && detail === undefined) deleted.push(id)
    else if (reason === 'delivered') left.push({ id, reason: 'not-deletable', detail: detail ?? '' })
    else left.push({ id, reason })
  }
  for (const id of deleted) log.info({ event: 'episode-deleted', id }, 'deleted the folder of a delivered episode')
  for (const one of left)
    if (one.reason !== 'second-copy' && firstTime(outbox, `${one.reason} ${one.id}`))
      log.warn({ event: 'delivered-folder-left', ...one }, 'a delivered episode folder stays: it is not shipped again')
  return { deleted, left }
}

async function look({ outbox, config }: AgentContext, id: EpisodeId): Promise<DeliveredFolder | undefined> {
  const receipt = outbox.receiptOf(id)
  const folder = join(config.paths.episodes, id)
  if (receipt === undefined || !existsSync(folder)) return undefined
  const tree = await walkTree(folder)
  const newestMtimeMs = tree.reduce(
    (newest, entry) => Math.max(newest, entry.kind === 'folder' ? 0 : Number(entry.mtime_ns / 1_000_000n)),
    0,
  )
  const { bytes, ...print } = fingerprint(tree)
  // Only a look at those very bytes counts.
  const packed = outbox.packedOf(id)
  const same = packed?.sha256 === receipt.sha256 ? packed : undefined
  return {
    id,
    bytes,
    received_at: receipt.received_at,
    changed: changedSince({ ...print, newestMtimeMs }, same, receipt.received_at),
  }
}
