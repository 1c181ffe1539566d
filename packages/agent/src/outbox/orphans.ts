/** `agent/orphans.json`: entries whose folder is gone and that were reported, so that they are reported once. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { z } from 'zod'

const File = z.object({ orphans: z.array(EpisodeId) })

export async function readOrphans(stateDir: string): Promise<ReadonlySet<EpisodeId>> {
  const text = await readFile(join(stateDir, 'orphans.json'), 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  })
  return new Set(File.safeParse(parseObject(text)).data?.orphans)
}

/** Writes only what differs. The caller holds the agent's lock. */
export async function writeOrphans(stateDir: string, orphans: readonly EpisodeId[]): Promise<void> {
  const known = await readOrphans(stateDir)
  if (known.size === orphans.length && orphans.every((id) => known.has(id))) return
  await replaceFile(join(stateDir, 'orphans.json'), `${JSON.stringify({ orphans })}\n`)
}
