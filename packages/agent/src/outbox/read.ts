/** Reading the outbox needs neither lock nor journal: sidecars are replaced whole, so a reader beside a running agent sees one state or the next. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { type Entry, Sidecar } from './entry.ts'
import { archiveName, type OutboxFile, readName, sidecarName } from './layout.ts'

/** Every file in the outbox; none where there is no outbox yet. */
export async function listOutbox(dir: string): Promise<OutboxFile[]> {
  try {
    return (await readdir(dir)).sort().map(readName)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}

/** @returns the entry, or undefined without archive, or without a valid sidecar */
export async function readEntry(dir: string, id: EpisodeId): Promise<Entry | undefined> {
  const sidecar = await readSidecar(dir, id)
  if (sidecar === undefined) return undefined
  const archive = await stat(join(dir, archiveName(id))).catch(() => undefined)
  return archive?.isFile() ? { ...sidecar, id } : undefined
}

/** Complete entries only (archive and valid sidecar), sorted by id. */
export async function readEntries(dir: string): Promise<Entry[]> {
  const files = await listOutbox(dir)
  const archives = new Set(files.flatMap((file) => (file.kind === 'archive' ? [file.id] : [])))
  const entries: Entry[] = []
  for (const file of files) {
    if (file.kind !== 'sidecar' || !archives.has(file.id)) continue
    const sidecar = await readSidecar(dir, file.id)
    if (sidecar !== undefined) entries.push({ ...sidecar, id: file.id })
  }
  return entries.sort((a, b) => (a.id < b.id ? -1 : 1))
}

async function readSidecar(dir: string, id: EpisodeId): Promise<Sidecar | undefined> {
  const text = await readFile(join(dir, sidecarName(id)), 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  })
  return Sidecar.safeParse(parseObject(text)).data
}
