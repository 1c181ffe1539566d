/** The episodes folder: which recordings are there, and how one of them stands. */
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EpisodeMeta } from '@cis490/shared/episode.ts'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { type Finished, judgeFinished } from '../core/finished.ts'
import { shownPath, type TreeEntry, walkTree } from './tree.ts'

export interface EpisodeFolders {
  /** Sorted. */
  readonly ids: EpisodeId[]
  /** Names that cannot be an episode, with the reason. */
  readonly unreadable: { readonly name: string; readonly reason: string }[]
}

/** No folder yet is no error: nothing was recorded. */
export async function listFolders(dir: string): Promise<EpisodeFolders> {
  const ids: EpisodeId[] = []
  const unreadable: { name: string; reason: string }[] = []
  const found = await readdir(dir, { withFileTypes: true }).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  })
  for (const entry of found) {
    // Of a deletion that is not finished, or of a program that is not ours.
    if (entry.name.startsWith('.')) continue
    const id = EpisodeId.safeParse(entry.name)
    if (!entry.isDirectory()) unreadable.push({ name: entry.name, reason: 'not a folder' })
    else if (id.success) ids.push(id.data)
    else unreadable.push({ name: entry.name, reason: id.error.issues[0]?.message ?? 'not an episode id' })
  }
  return { ids: ids.sort(), unreadable }
}

export interface Look {
  readonly verdict: Finished
  /** Empty while there is no meta.json: such a folder is not walked. */
  readonly tree: readonly TreeEntry[]
}

/** Reads meta.json before the walk: what is written between the two makes the folder unfinished, never the reverse. */
export async function lookAt(dir: string, id: EpisodeId, nowMs: number): Promise<Look> {
  const folder = join(dir, id)
  const meta = await readMeta(join(folder, 'meta.json'))
  if (meta === undefined) return { verdict: judgeFinished({ id, meta, newest: undefined }, nowMs), tree: [] }
  const tree = await walkTree(folder)
  const newest = tree
    .filter((entry) => entry.kind === 'file' && entry.path !== 'meta.json')
    .reduce<TreeEntry | undefined>((best, entry) => (best && best.mtime_ns >= entry.mtime_ns ? best : entry), undefined)
  const recording = { id, meta, newest: newest && { path: shownPath(newest.path), mtime_ns: newest.mtime_ns } }
  return { verdict: judgeFinished(recording, nowMs), tree }
}

/** What decides about the order of packing, without a look at the other files. @returns undefined without a valid meta.json */
export async function readUrgency(
  dir: string,
  id: EpisodeId,
): Promise<{ readonly priority: EpisodeMeta['priority']; readonly since: number } | undefined> {
  const meta = await readMeta(join(dir, id, 'meta.json'))
  const parsed = EpisodeMeta.safeParse(meta && parseObject(meta.text))
  return meta && parsed.success ? { priority: parsed.data.priority, since: Number(meta.mtime_ns / 1_000_000n) } : undefined
}

const maxMetaBytes = 16 << 20

async function readMeta(path: string): Promise<{ text: string; mtime_ns: bigint } | undefined> {
  try {
    const stat = await lstat(path, { bigint: true })
    if (!stat.isFile()) return undefined
    const text = stat.size > maxMetaBytes ? '' : await readFile(path, 'utf8')
    return { text, mtime_ns: stat.mtimeNs }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}
