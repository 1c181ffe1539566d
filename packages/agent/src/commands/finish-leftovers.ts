/** Deletions that a crash or the power cut short: finished where the look agrees, else the folder gets its name back. */
import { lookSincePacked, restOf } from '../core/delivered-plan.ts'
import { finishDeletion, listLeftovers } from '../episodes/delete.ts'
import type { AgentContext } from './context.ts'
import { type Finished, type LeftFolder, packedLook, tellDeleted, tellLeft } from './finish-delivered.ts'

/** Before the folders are listed: one that gets its name back is then an episode like any other. */
export async function finishLeftovers(context: AgentContext): Promise<Finished> {
  const { outbox, config } = context
  const finished: Finished = { deleted: [], left: [] }
  for (const leftover of await listLeftovers(config.paths.episodes)) {
    const { id, stage } = leftover
    // The half that ships is at it right now.
    if (outbox.inFlight.has(id)) continue
    const packed = packedLook(outbox, id)
    const result = await finishDeletion(config.paths.episodes, leftover, (print) =>
      stage === 'agreed' ? restOf(print, packed) : lookSincePacked(print, packed) === 'unchanged',
    )
    if (result.done === 'deleted') finished.deleted.push(id)
    if (result.done === 'failed') finished.left.push({ id, reason: 'not-deletable', detail: result.detail } satisfies LeftFolder)
  }
  tellDeleted(context, finished.deleted)
  tellLeft(context, finished.left)
  return finished
}
