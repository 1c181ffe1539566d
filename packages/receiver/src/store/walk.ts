/** Every folder of the store that holds episodes. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import type { StoreLayout } from './layout.ts'

export interface Shelf {
  readonly path: string
  readonly host: HostName
  readonly archives: ReadonlySet<EpisodeId>
  readonly sidecars: readonly EpisodeId[]
  /** Names that are no episode's. */
  readonly strangers: readonly string[]
}

export async function* walkShelves(layout: StoreLayout): AsyncGenerator<Shelf> {
  for (const hostName of await folders(layout.episodes)) {
    const host = HostName.safeParse(hostName)
    if (!host.success || host.data !== hostName) continue
    for (const name of await folders(join(layout.episodes, hostName))) {
      yield readShelf(layout, join(layout.episodes, hostName, name), host.data)
    }
  }
}

async function readShelf(layout: StoreLayout, path: string, host: HostName): Promise<Shelf> {
  const archives = new Set<EpisodeId>()
  const sidecars: EpisodeId[] = []
  const strangers: string[] = []
  for (const name of (await readdir(path)).sort()) {
    const suffix = [archiveSuffix, '.json'].find((one) => name.endsWith(one))
    const id = suffix === undefined ? undefined : EpisodeId.safeParse(name.slice(0, -suffix.length)).data
    // On the wrong shelf nobody finds it.
    if (id === undefined || layout.shelf({ host, id }) !== path) strangers.push(name)
    else if (suffix === archiveSuffix) archives.add(id)
    else sidecars.push(id)
  }
  return { path, host, archives, sidecars, strangers }
}

async function folders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  })
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

export async function countArchives(layout: StoreLayout): Promise<number> {
  let count = 0
  for await (const shelf of walkShelves(layout)) count += shelf.archives.size
  return count
}
