/**
 * Every folder of the store that holds episodes. Read in place: a start and the commands that walk have nothing else to do,
 * and to wait for another thread a thousand times takes longer than the folders.
 */
import { type Dirent, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import { type StoreLayout, shelfName } from './layout.ts'

const suffixes = [archiveSuffix, '.json']

export interface Shelf {
  readonly path: string
  readonly host: HostName
  readonly archives: ReadonlySet<EpisodeId>
  readonly sidecars: readonly EpisodeId[]
  /** Names that are no episode's: other names, on the wrong shelf, or no regular files. */
  readonly strangers: readonly string[]
}

export function* walkShelves(layout: StoreLayout): Generator<Shelf> {
  for (const hostName of folders(layout.episodes)) {
    const host = HostName.safeParse(hostName)
    if (!host.success || host.data !== hostName) continue
    for (const name of folders(join(layout.episodes, hostName))) {
      yield readShelf(join(layout.episodes, hostName, name), name, host.data)
    }
  }
}

function readShelf(path: string, shelf: string, host: HostName): Shelf {
  const archives = new Set<EpisodeId>()
  const sidecars: EpisodeId[] = []
  const strangers: string[] = []
  // An archive and its sidecar follow upon each other: what was found out about one holds for the other.
  let stem: string | undefined
  let id: EpisodeId | undefined
  for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { name } = entry
    const suffix = entry.isFile() ? suffixes.find((one) => name.endsWith(one)) : undefined
    if (suffix !== undefined && name.slice(0, -suffix.length) !== stem) {
      stem = name.slice(0, -suffix.length)
      const parsed = EpisodeId.safeParse(stem).data
      // On the wrong shelf nobody finds it.
      id = parsed !== undefined && shelfName(parsed) === shelf ? parsed : undefined
    }
    if (suffix === undefined || id === undefined) strangers.push(name)
    else if (suffix === archiveSuffix) archives.add(id)
    else sidecars.push(id)
  }
  return { path, host, archives, sidecars, strangers }
}

/** Paths of what lies beside the folders of hosts and of shelves. An older receiver kept its archives where the hosts are now: they stay. */
export function* walkStrays(layout: StoreLayout): Generator<string> {
  for (const entry of entriesOf(layout.episodes)) {
    const path = join(layout.episodes, entry.name)
    if (entry.isFile() && entry.name.endsWith(archiveSuffix)) continue
    if (!entry.isDirectory() || HostName.safeParse(entry.name).data !== entry.name) yield path
    else for (const inner of entriesOf(path)) if (!inner.isDirectory()) yield join(path, inner.name)
  }
}

function folders(path: string): string[] {
  return entriesOf(path)
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

function entriesOf(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

export function countArchives(layout: StoreLayout): number {
  let count = 0
  for (const shelf of walkShelves(layout)) count += shelf.archives.size
  return count
}
