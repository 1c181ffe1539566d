/** Can this program read what was recorded, and delete it after its receipt? */
import { access, constants, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { counted } from '@cis490/shared/counted.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import type { Check, Finding } from '../check.ts'

export interface FoldersOf {
  readonly ids: readonly string[]
  readonly unreadable: readonly { readonly name: string; readonly reason: string }[]
}

/** @param list the episodes folder, as the scan sees it */
export function episodesReadable(dir: string, list: () => Promise<FoldersOf>): Check {
  return {
    code: 'episodes-readable',
    title: 'Every episode can be read',
    severity: 'critical',
    timeout: 30_000,
    depends_on: [],
    remedy: `ls -la ${dir}; move away what is no episode`,
    run: async () => {
      let found: FoldersOf
      try {
        found = await list()
      } catch (error) {
        return {
          outcome: 'fail',
          text: `cannot list ${dir}: ${messageOf(error)}`,
          remedy: `sudo chgrp cis490 ${dir} && sudo chmod g+rwxs ${dir}`,
        }
      }
      const tried = await Promise.all(found.ids.map(async (id) => ({ name: id, reason: await whyUnreadable(join(dir, id)) })))
      const closed = tried.filter((one): one is { name: string; reason: string } => one.reason !== undefined)
      return judgeEpisodes(dir, found, closed)
    },
  }
}

function judgeEpisodes(dir: string, found: FoldersOf, closed: readonly { name: string; reason: string }[]): Finding {
  const [shut] = closed
  const [odd] = found.unreadable
  const data = { unreadable: closed.slice(0, 20), not_episodes: found.unreadable.slice(0, 20) }
  if (shut !== undefined)
    return {
      outcome: 'fail',
      text: `${counted(closed.length, 'episode')} that this user cannot read, first ${shut.name} (${shut.reason})`,
      data,
      remedy: `sudo chgrp -R cis490 ${dir} && sudo chmod -R g+rX ${dir}`,
    }
  if (odd !== undefined)
    return {
      outcome: 'warn',
      text: `${counted(found.unreadable.length, 'name')} in ${dir} that can be no episode, first ${odd.name} (${odd.reason})`,
      data,
    }
  return { outcome: 'pass', text: counted(found.ids.length, 'folder'), data }
}

/** The folder and its first level: what lies deeper is told by the scan. */
async function whyUnreadable(folder: string): Promise<string | undefined> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true }))
      if (entry.isFile() || entry.isDirectory())
        await access(join(folder, entry.name), entry.isFile() ? constants.R_OK : constants.R_OK | constants.X_OK)
    return undefined
  } catch (error) {
    // Delivered and deleted while we looked.
    return isErrno(error, 'ENOENT') ? undefined : messageOf(error)
  }
}

/** @param recorded episodes by id */
export function episodesDeletable(dir: string, recorded: () => Promise<readonly string[]>): Check {
  return {
    code: 'episodes-deletable',
    title: 'Delivered episodes can be deleted',
    severity: 'warning',
    timeout: 30_000,
    depends_on: ['episodes-readable'],
    remedy: `sudo setfacl -R -m u:cis490:rwX -m d:u:cis490:rwX ${dir}`,
    run: async () => {
      const ids = await recorded()
      const folders = [dir, ...ids.map((id) => join(dir, id))]
      const tried = await Promise.all(folders.map(async (path) => ({ path, why: await whyKept(path) })))
      const kept = tried.filter(({ why }) => why !== undefined)
      const [first] = kept
      if (first === undefined) return { outcome: 'pass', text: counted(ids.length, 'folder'), data: {} }
      return {
        outcome: 'warn',
        text: `${counted(kept.length, 'folder')} in which this user may not delete, first ${first.path} (${first.why}): they stay after their receipt`,
        data: { kept: kept.slice(0, 20).map(({ path }) => path), count: kept.length },
        // Rights change nothing there; for a unit, what is not named is read-only.
        ...(first.why === readOnly && {
          remedy: `findmnt -T ${dir}; for the units: ReadWritePaths=${dir} by systemctl edit of cis490-orchestrator and cis490-doctor-check`,
        }),
      }
    },
  }
}

const readOnly = 'read-only'

async function whyKept(folder: string): Promise<string | undefined> {
  try {
    await access(folder, constants.W_OK | constants.X_OK)
    return undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    return isErrno(error, 'EROFS') ? readOnly : 'no right to write'
  }
}
