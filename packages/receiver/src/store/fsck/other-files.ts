/** The files of rows beside the index, and what lies where bodies come in. */
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { readTail } from '@cis490/shared/node/tail.ts'
import type { Finding } from '../../core/finding.ts'
import type { StoreLayout } from '../layout.ts'
import { parseUploadState } from '../upload-state.ts'

const beside = [
  'rejects.jsonl',
  'rejects.jsonl.1',
  'heartbeats.jsonl',
  'losses.jsonl',
  'prunes.jsonl',
  'taints.jsonl',
  'alerts.jsonl',
]

/** Files that end inside a row. */
export async function lookTails(layout: StoreLayout): Promise<Finding[]> {
  const events = (await names(layout.events)).filter((name) => name.endsWith('.jsonl')).map((name) => join('events', name))
  const found: Finding[] = []
  for (const name of [...beside, ...events]) {
    const torn = await tornBytes(join(layout.root, name))
    if (torn > 0) found.push({ kind: 'torn-tail', at: name, detail: `${torn} bytes` })
  }
  return found
}

async function tornBytes(path: string): Promise<number> {
  try {
    await using file = await open(path, 'r')
    return (await readTail(file)).torn.length
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0
    throw error
  }
}

/** What no request owns while nobody receives. Open uploads are kept on purpose: they count only where their two files do not agree. */
export async function lookLeftovers(layout: StoreLayout): Promise<Finding[]> {
  const bodies = await names(layout.incoming)
  const uploads = await names(layout.uploads)
  const found: Finding[] = bodies.map((name) => ({ kind: 'leftover-body', at: join('incoming', name), detail: name }))
  for (const name of uploads) {
    const fault = await uploadFault(layout, name, new Set(uploads))
    if (fault !== undefined) found.push({ kind: 'damaged-upload', at: join('uploads', name), detail: fault })
  }
  return found
}

/** Files that an upload has names for: a sidecar among them was linked by an upload that has not ended. */
export async function inodesOfUploads(layout: StoreLayout): Promise<Set<number>> {
  const inodes = new Set<number>()
  for (const folder of [layout.incoming, layout.uploads])
    for (const name of await names(folder)) {
      const info = await stat(join(folder, name)).catch(() => undefined)
      if (info) inodes.add(info.ino)
    }
  return inodes
}

async function uploadFault(layout: StoreLayout, name: string, all: ReadonlySet<string>): Promise<string | undefined> {
  const [, stem, suffix] = /^(.+)\.(part|json)$/.exec(name) ?? []
  if (stem === undefined) return 'neither body nor state of an upload'
  if (suffix === 'part') return all.has(`${stem}.json`) ? undefined : 'a body without its state'
  const state = parseUploadState(await readFile(join(layout.uploads, name), 'utf8'))
  if (!state) return 'its state cannot be read'
  if (state.finished !== undefined) return undefined
  const size = all.has(`${stem}.part`) ? (await stat(join(layout.uploads, `${stem}.part`))).size : 0
  return size < state.offset ? `${size} bytes, and its host was told of ${state.offset}` : undefined
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}
