/** `agent/carried/<id>.json`: receipts from a stick that were verified and wait to be settled by whoever holds the agent's lock. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { makeDir, removeFile, replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { z } from 'zod'
import { PinnedKeyRow } from './pins.ts'

export const Carried = z.object({
  id: EpisodeId,
  /** The receipt's exact bytes. */
  text: z.string(),
  /** Value of X-Cis490-Receipt-Signature; absent where a person vouched for the stick. */
  signature: z.string().optional(),
  /** Keys that are to be believed because of the vouchers that came along. */
  keys: z.array(PinnedKeyRow),
})
export type Carried = z.infer<typeof Carried>

export async function putCarried(stateDir: string, carried: Carried): Promise<void> {
  await makeDir(join(stateDir, 'carried'))
  await replaceFile(path(stateDir, carried.id), `${JSON.stringify(carried)}\n`)
}

/** A file that is not one of ours is left alone. @param unreadable told of what cannot be read */
export async function listCarried(
  stateDir: string,
  unreadable: (name: string, cause: string) => void = () => undefined,
): Promise<Carried[]> {
  const names = await readdir(join(stateDir, 'carried')).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  })
  const found: Carried[] = []
  for (const name of names.filter((one) => one.endsWith('.json')).sort()) {
    const text = await readFile(join(stateDir, 'carried', name), 'utf8').catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) unreadable(name, messageOf(error))
      return ''
    })
    const carried = Carried.safeParse(parseObject(text))
    if (carried.success) found.push(carried.data)
  }
  return found
}

export async function removeCarried(stateDir: string, id: EpisodeId): Promise<void> {
  await removeFile(path(stateDir, id))
}

function path(stateDir: string, id: EpisodeId): string {
  return join(stateDir, 'carried', `${id}.json`)
}
