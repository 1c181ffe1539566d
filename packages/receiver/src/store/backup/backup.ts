/** A consistent copy of a store at work, and the way back. Each may be killed at any moment and run again. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { makeDir, moveOver, removeFile, replaceFile, syncDir } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { BackupMark, RestoreMark } from '../../core/backup.ts'
import { StoreLayout } from '../layout.ts'
import { removeArchives } from '../prune-episodes.ts'
import { Prunes } from '../prunes.ts'
import { bytesIn, type CarryCount, carryEpisodes, clearTemps } from './carry-episodes.ts'
import type { CarryOptions } from './carry-file.ts'
import { carryRowFiles, takeRows } from './row-files.ts'

export interface Carrying extends CarryOptions {
  /** Told once how many bytes the archives have, then how many are done. */
  onBytes(done: number, total: number): void
}

export interface BackedUp extends CarryCount {
  readonly rows: number
  /** Archives that went out of the backup because they were pruned. */
  readonly removed: number
}

/** The mark of a backup that has ended once. */
export async function readBackupMark(dir: string): Promise<BackupMark | undefined> {
  return BackupMark.safeParse(parseObject(await readText(join(dir, 'backup.json')))).data
}

/** The caller holds the lock of `dir`. */
export async function backUp(layout: StoreLayout, dir: string, options: Carrying): Promise<BackedUp> {
  const to = new StoreLayout(dir)
  const at = timestamp(Date.now())
  await makeDir(to.episodes)
  await makeDir(to.incoming)
  await clearTemps(to)
  // The rows first: every archive has its name before its row.
  const index = await takeRows(layout.index, to.index)
  const { rows, bytes } = index === undefined ? { rows: 0, bytes: 0 } : await bytesIn(index)
  options.onBytes(0, bytes)
  const done = await carryEpisodes(layout, to, index ?? to.index, options, (now) => options.onBytes(now, bytes))
  await carryRowFiles(layout.root, dir)
  if (index !== undefined) await moveOver(index, to.index)
  await replaceFile(join(dir, 'backup.json'), JSON.stringify({ format: 1, at, from: layout.root, rows } satisfies BackupMark))
  const prunes = new Prunes(to)
  await prunes.refresh()
  return { ...done, rows, removed: await removeArchives(to, prunes.rows()) }
}

/** From where an unfinished restore into this store comes. */
export async function readRestoreMark(layout: StoreLayout): Promise<string | undefined> {
  return RestoreMark.safeParse(parseObject(await readText(layout.restoring))).data?.from
}

/** Until `endRestore` nobody may work in the store. The caller holds its lock and that of `dir`. */
export async function restore(layout: StoreLayout, dir: string, options: Carrying): Promise<CarryCount & { rows: number }> {
  const from = new StoreLayout(dir)
  await makeDir(layout.root)
  await replaceFile(layout.restoring, JSON.stringify({ from: dir, at: timestamp(Date.now()) }))
  await makeDir(layout.episodes)
  await makeDir(layout.incoming)
  await clearTemps(layout)
  const { rows, bytes } = await bytesIn(from.index)
  options.onBytes(0, bytes)
  const done = await carryEpisodes(from, layout, from.index, options, (now) => options.onBytes(now, bytes))
  await carryRowFiles(dir, layout.root)
  const index = await takeRows(from.index, layout.index)
  if (index !== undefined) await moveOver(index, layout.index)
  return { ...done, rows }
}

export async function endRestore(layout: StoreLayout): Promise<void> {
  await removeFile(layout.restoring)
  await syncDir(layout.root)
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return ''
    throw error
  }
}
