/** The one place that deletes a recording. The caller has a durable receipt for it. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { syncDir } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'

/** Symlinks go, what they point to stays. @returns undefined, or why the folder could not be deleted */
export async function deleteEpisode(dir: string, id: EpisodeId): Promise<string | undefined> {
  try {
    await rm(join(dir, id), { recursive: true, force: true })
    await syncDir(dir)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}
