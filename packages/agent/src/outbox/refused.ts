/**
 * Finished episodes that cannot be packed as they are. They wait for a person, and are tried again when their folder changes.
 *
 *     agent/refused.json    one small file, replaced whole
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { z } from 'zod'

export const Refused = z.object({
  id: EpisodeId,
  /** What in the folder is in the way, and why. */
  path: z.string(),
  reason: z.string(),
  at: z.string(),
  commit: z.string().optional(),
  /** Sum of the file sizes. */
  bytes: z.int().nonnegative(),
  /** The folder as it was refused. */
  tree: z.string(),
})
export type Refused = z.infer<typeof Refused>

const File = z.object({ refused: z.array(Refused) })

/** The code that stands for them in `outbox list`. */
export const refusedCode = 'pack-refused'

/** Sorted by id; none where the file is not there or not readable as such. */
export async function readRefused(stateDir: string): Promise<Refused[]> {
  const text = await readFile(refusedPath(stateDir), 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  })
  const file = File.safeParse(parseObject(text))
  return file.success ? file.data.refused.toSorted((a, b) => (a.id < b.id ? -1 : 1)) : []
}

/** Writes only what differs. The caller holds the agent's lock. */
export async function writeRefused(stateDir: string, refused: readonly Refused[]): Promise<void> {
  if (JSON.stringify(await readRefused(stateDir)) === JSON.stringify(refused)) return
  await replaceFile(refusedPath(stateDir), `${JSON.stringify({ refused }, null, 1)}\n`)
}

function refusedPath(stateDir: string): string {
  return join(stateDir, 'refused.json')
}
