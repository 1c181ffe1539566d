/** The start of every scan: mends what a crash or a person left in the outbox. */
import { join } from 'node:path'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { removeFile } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { planReclaim, type ReclaimStep } from '../core/outbox-plan.ts'
import { priorityOf } from '../core/priority.ts'
import { hashArchive, readArchiveMeta } from '../episodes/archive-head.ts'
import { readOrphans, writeOrphans } from '../outbox/orphans.ts'
import type { AgentContext } from './context.ts'

export interface Reclaimed {
  readonly steps: readonly ReclaimStep[]
}

/** @param folders ids of the episode folders that are there */
export async function reclaim({ outbox, config, log }: AgentContext, folders: ReadonlySet<EpisodeId>): Promise<Reclaimed> {
  const files = await outbox.files()
  const entries = new Map((await outbox.entries()).map((entry) => [entry.id, entry]))
  const ids = (kind: 'archive' | 'sidecar') => files.flatMap((file) => (file.kind === kind ? [file.id] : []))
  const archives = new Set(ids('archive'))
  // The sidecar of an entry may be in the middle of being replaced by the half that ships.
  const unfinished = files.filter((file) => file.kind === 'part' || (file.kind === 'sidecar-temp' && !archives.has(file.id)))
  const steps = planReclaim({
    parts: unfinished.map((file) => file.name),
    archives: [...archives],
    sidecars: new Map(ids('sidecar').map((id) => [id, entries.get(id)])),
    folders,
    receipts: outbox.receipts,
    inFlight: outbox.inFlight,
    knownOrphans: await readOrphans(config.paths.state),
  })
  const done: ReclaimStep[] = []
  for (const step of steps) {
    try {
      await carryOut(step, { outbox, log })
      done.push(step)
    } catch (error) {
      log.warn({ event: 'reclaim-failed', ...step, cause: messageOf(error) }, 'could not reclaim a file of the outbox')
    }
  }
  const orphans = done.flatMap((step) => (step.act === 'keep' || step.act === 'adopt' ? [step.id] : []))
  await writeOrphans(config.paths.state, orphans)
  return { steps: done }
}

async function carryOut(step: ReclaimStep, { outbox, log }: Pick<AgentContext, 'outbox' | 'log'>): Promise<void> {
  if (step.act === 'remove-part') {
    await removeFile(join(outbox.dir, step.name))
    log.info({ event: 'reclaimed', ...step }, 'removed an unfinished file')
  } else if (step.act === 'remove-entry') {
    await outbox.remove(step.id)
    log.info({ event: 'reclaimed', ...step }, 'removed what is delivered or can be packed again')
  } else if (step.act === 'adopt') {
    if (await adopt(step.id, outbox))
      log.info({ event: 'reclaimed', ...step, reason: 'delivered' }, 'removed a delivered archive')
    else
      log.warn(
        { event: 'orphan-kept', id: step.id, adopted: true },
        'kept an archive without sidecar and folder: it is the last copy',
      )
  } else if (step.report) {
    log.warn({ event: 'orphan-kept', id: step.id }, 'kept an archive whose folder is gone: it is the last copy')
  }
}

/** @returns true when the archive turned out to be delivered and is gone */
async function adopt(id: EpisodeId, outbox: AgentContext['outbox']): Promise<boolean> {
  const path = outbox.archivePath(id)
  const { sha256, bytes } = await hashArchive(path)
  if (outbox.receiptOf(id)?.sha256 === sha256) {
    await outbox.remove(id)
    return true
  }
  const meta = await readArchiveMeta(path)
  const commit = meta?.code_version?.commit
  const schema = meta?.schema_version
  const priority = priorityOf(meta?.priority)
  await outbox.update({
    id,
    sha256,
    bytes,
    ...(commit === undefined ? {} : { commit }),
    ...(schema === undefined ? {} : { schema_version: String(schema) }),
    lane: 'ready',
    attempts: 0,
    ...(priority === 0 ? {} : { priority }),
  })
  return false
}
