/**
 * The one place that deletes a recording. The caller has a durable receipt for it.
 *
 *     episodes/<id>             as it was recorded
 *     episodes/.deleting-<id>   out of the recorder's way, to be looked at once more
 *     episodes/.deleted-<id>    found unchanged there: may be half gone already
 */
import { existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { syncDir } from '@cis490/shared/node/durable.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { type Fingerprint, fingerprint, walkTree } from './tree.ts'

const prefixes = { aside: '.deleting-', agreed: '.deleted-' } as const
export type Stage = keyof typeof prefixes

export type Deletion =
  | { readonly done: 'deleted' | 'put-back' }
  /** It lies under its hidden name, or was not touched. */
  | { readonly done: 'failed'; readonly detail: string }

export interface Leftover {
  readonly id: EpisodeId
  readonly stage: Stage
}

/** Symlinks go, what they point to stays. @param agrees judges the folder once more when no path of the recorder leads into it */
export async function deleteEpisode(dir: string, id: EpisodeId, agrees: (print: Fingerprint) => boolean): Promise<Deletion> {
  try {
    await rename(join(dir, id), join(dir, prefixes.aside + id))
  } catch (error) {
    return { done: 'failed', detail: messageOf(error) }
  }
  return await finishDeletion(dir, { id, stage: 'aside' }, agrees)
}

/** Goes on where a deletion was. What `agrees` denies gets its name back, unless another folder has it by now. */
export async function finishDeletion(
  dir: string,
  { id, stage }: Leftover,
  agrees: (print: Fingerprint) => boolean,
): Promise<Deletion> {
  const hidden = join(dir, prefixes[stage] + id)
  const agreed = join(dir, prefixes.agreed + id)
  try {
    if (!agrees(fingerprint(await walkTree(hidden)))) return await putBack(dir, hidden, id)
    if (stage === 'aside') await rename(hidden, agreed)
    await syncDir(dir)
    await rm(agreed, { recursive: true, force: true })
    await syncDir(dir)
    return { done: 'deleted' }
  } catch (error) {
    return { done: 'failed', detail: messageOf(error) }
  }
}

async function putBack(dir: string, hidden: string, id: EpisodeId): Promise<Deletion> {
  // A rename would replace an empty folder.
  if (existsSync(join(dir, id))) return { done: 'failed', detail: `${hidden} cannot have its name back: ${id} is there again` }
  await rename(hidden, join(dir, id))
  await syncDir(dir)
  return { done: 'put-back' }
}

/** Deletions that were not finished. No folder yet is no error. */
export async function listLeftovers(dir: string): Promise<Leftover[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  })
  return names.sort().flatMap((name) =>
    (Object.keys(prefixes) as Stage[]).flatMap((stage) => {
      const id = name.startsWith(prefixes[stage]) ? EpisodeId.safeParse(name.slice(prefixes[stage].length)) : undefined
      return id?.success ? [{ id: id.data, stage }] : []
    }),
  )
}
