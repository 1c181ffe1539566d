/** Reading the outbox needs neither lock nor journal: sidecars are replaced whole, so a reader beside a running agent sees one state or the next. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { type Entry, Sidecar } from './entry.ts'
import { archiveName, type OutboxFile, readName, reserveName, sidecarName } from './layout.ts'

/** Every file in the outbox; none where there is no outbox yet. */
export async function listOutbox(dir: string): Promise<OutboxFile[]> {
  try {
    return (await readdir(dir)).sort().map(readName)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

/** Sidecars that were read before: of use to the one process that writes them. */
export type KnownSidecars = Map<EpisodeId, Sidecar>

/** @returns the entry, or undefined without archive, or without a valid sidecar */
export async function readEntry(dir: string, id: EpisodeId, known: KnownSidecars = new Map()): Promise<Entry | undefined> {
  const sidecar = await sidecarOf(dir, id, known)
  if (sidecar === undefined) return undefined
  const archive = await stat(join(dir, archiveName(id))).catch(() => undefined)
  return archive?.isFile() ? { ...sidecar, id } : undefined
}

/** Complete entries only (archive and valid sidecar), sorted by id. */
export async function readEntries(dir: string, known: KnownSidecars = new Map()): Promise<Entry[]> {
  const files = await listOutbox(dir)
  const archives = new Set(files.flatMap((file) => (file.kind === 'archive' ? [file.id] : [])))
  const ids = files.flatMap((file) => (file.kind === 'sidecar' && archives.has(file.id) ? [file.id] : []))
  const entries: Entry[] = []
  for (let at = 0; at < ids.length; at += atOnce) {
    const some = ids.slice(at, at + atOnce)
    const sidecars = await Promise.all(some.map(async (id) => known.get(id) ?? (await sidecarOf(dir, id, known))))
    for (const [index, id] of some.entries()) {
      const sidecar = sidecars[index]
      if (sidecar !== undefined) entries.push({ ...sidecar, id })
    }
  }
  return entries.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Files that are open at the same time. */
const atOnce = 64

async function sidecarOf(dir: string, id: EpisodeId, known: KnownSidecars): Promise<Sidecar | undefined> {
  const before = known.get(id)
  if (before !== undefined) return before
  const read = await readSidecar(dir, id)
  // What was written while we read is newer.
  const written = known.get(id)
  if (written === undefined && read !== undefined) known.set(id, read)
  return written ?? read
}

async function readSidecar(dir: string, id: EpisodeId): Promise<Sidecar | undefined> {
  const text = await readFile(join(dir, sidecarName(id)), 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  })
  return Sidecar.safeParse(parseObject(text)).data
}

/** Bytes of everything in the outbox, finished or not; the reserve is no part of it. */
export async function outboxBytes(dir: string): Promise<number> {
  const names = (await listOutbox(dir)).map((file) => file.name).filter((name) => name !== reserveName)
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(dir, name)).then(
        (file) => file.size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
