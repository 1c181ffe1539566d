/**
 * What a person said with `pause`, until `resume` or its time; it lasts over a restart.
 *
 *     agent/paused.json
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { removeFile, replaceFile, syncDir } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { z } from 'zod'
import type { Pause } from '../core/manners.ts'

const File = z.object({
  since: z.string(),
  until: z.iso.datetime().optional(),
  by: z.string(),
  reason: z.string().optional(),
})
export type PauseFile = z.infer<typeof File>

export function pausePath(stateDir: string): string {
  return join(stateDir, 'paused.json')
}

/** A file that cannot be read or understood is a pause all the same: somebody said stop. */
export function readPause(stateDir: string): Pause | undefined {
  try {
    const { until, ...file } = File.parse(parseObject(readFileSync(pausePath(stateDir), 'utf8')))
    return { ...file, ...(until === undefined ? {} : { until: Date.parse(until) }) }
  } catch (error) {
    return isErrno(error, 'ENOENT', 'ENOTDIR') ? undefined : { reason: `${pausePath(stateDir)} cannot be read` }
  }
}

/** Readable for all: the daemon may run as another user than the person. */
export async function writePause(stateDir: string, pause: PauseFile): Promise<void> {
  await replaceFile(pausePath(stateDir), `${JSON.stringify(pause)}\n`, 0o644)
}

/** @returns false when there was no pause */
export async function removePause(stateDir: string): Promise<boolean> {
  const removed = await removeFile(pausePath(stateDir))
  if (removed) await syncDir(stateDir)
  return removed
}
