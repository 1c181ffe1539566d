/** The last step of a delivery: the episode's folder goes, or stays as a second copy. What cannot go counts as delivered all the same. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { type DeliveredFolder, type FolderLook, lookSincePacked, planDelivered } from '../core/delivered-plan.ts'
import { deleteEpisode } from '../episodes/delete.ts'
import { fingerprint, walkTree } from '../episodes/tree.ts'
import type { AgentContext } from './context.ts'
import { firstTime } from './first-time.ts'

export interface LeftFolder {
  readonly id: EpisodeId
  readonly reason: 'second-copy' | 'changed-after-delivery' | 'not-known-as-delivered' | 'not-deletable'
  readonly detail?: string
  /** Of a second copy. */
  readonly bytes?: number
  readonly received_at?: string
}

export interface Finished {
  readonly deleted: EpisodeId[]
  /** Delivered folders that are still there: shown, never shipped again. */
  readonly left: LeftFolder[]
}

/**
 * @param folders ids of the episode folders that are there; those without a receipt are left alone
 * @param busy episodes that somebody else finishes at this moment
 */
export async function finishDelivered(
  context: AgentContext,
  folders: Iterable<EpisodeId>,
  busy: ReadonlySet<EpisodeId> = new Set(),
): Promise<Finished> {
  const { outbox, config } = context
  const delivered: DeliveredFolder[] = []
  const left: LeftFolder[] = []
  for (const id of folders) {
    if (!outbox.hasReceipt(id) || busy.has(id) || (await outbox.find(id))) continue
    const folder = await look(context, id).catch(messageOf)
    if (typeof folder === 'string') left.push({ id, reason: 'not-deletable', detail: folder })
    else if (folder) delivered.push(folder)
  }
  const deleted: EpisodeId[] = []
  const folderOf = new Map(delivered.map((folder) => [folder.id, folder]))
  for (const { id, reason } of planDelivered(delivered, config.ship.keep_shipped)) {
    if (reason !== 'delivered') {
      const { bytes, received_at } = folderOf.get(id) ?? {}
      left.push({ id, reason, ...(reason === 'second-copy' && { bytes, received_at }) } as LeftFolder)
      continue
    }
    const unchanged = (print: FolderLook) => lookSincePacked(print, packedLook(outbox, id)) === 'unchanged'
    const result = await deleteEpisode(config.paths.episodes, id, unchanged)
    if (result.done === 'failed') left.push({ id, reason: 'not-deletable', detail: result.detail })
    else if (result.done === 'put-back') left.push({ id, reason: 'changed-after-delivery' })
    else deleted.push(id)
  }
  tellDeleted(context, deleted)
  tellLeft(context, left)
  return { deleted, left }
}

export function tellDeleted({ log }: AgentContext, deleted: readonly EpisodeId[]): void {
  for (const id of deleted) log.info({ event: 'episode-deleted', id }, 'deleted the folder of a delivered episode')
}

/** Each once in the life of a daemon. */
export function tellLeft({ outbox, log }: AgentContext, left: readonly LeftFolder[]): void {
  for (const one of left)
    if (one.reason !== 'second-copy' && firstTime(outbox, `${one.reason} ${one.id}`))
      log.warn({ event: 'delivered-folder-left', ...one }, 'a delivered episode folder stays: it is not shipped again')
}

/** How the folder looked when the bytes of its receipt were packed. Only a look at those very bytes counts. */
export function packedLook(outbox: AgentContext['outbox'], id: EpisodeId): FolderLook | undefined {
  const receipt = outbox.receiptOf(id)
  const packed = outbox.packedOf(id)
  return receipt !== undefined && packed?.sha256 === receipt.sha256 ? packed : undefined
}

async function look({ outbox, config }: AgentContext, id: EpisodeId): Promise<DeliveredFolder | undefined> {
  const receipt = outbox.receiptOf(id)
  const folder = join(config.paths.episodes, id)
  if (receipt === undefined || !existsSync(folder)) return undefined
  const print = fingerprint(await walkTree(folder))
  const since = lookSincePacked(print, packedLook(outbox, id))
  return { id, bytes: print.bytes, received_at: receipt.received_at, since }
}
