/** `quarantine/`: what does not belong into the store is kept here. Nothing is deleted, nothing is ever replaced. */
import { lstat } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { makeDir, moveOver, syncDir } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import type { StoreLayout } from './layout.ts'

/** Where a file would go now: told in `losses.jsonl` before it goes. @param stamp tells repeated finds of one name apart */
export async function quarantinePlace(layout: StoreLayout, folder: string, path: string, stamp: string): Promise<string> {
  for (let k = 0; ; k += 1) {
    const name = `${basename(path)}.${stamp.replace(/[-:.]/g, '')}${k === 0 ? '' : `-${k}`}`
    const place = join(layout.quarantine, folder, name)
    if (!(await isThere(place))) return place
  }
}

/** Moves a file or folder to its place, durably. @returns false when it is not there any more */
export async function moveToQuarantine(path: string, place: string): Promise<boolean> {
  if (!(await isThere(path))) return false
  await makeDir(dirname(place))
  await moveOver(path, place)
  await syncDir(dirname(path))
  return true
}

export function below(layout: StoreLayout, path: string): string {
  return relative(layout.root, path)
}

export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}
