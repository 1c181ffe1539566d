/**
 * What the updater did last, as it wrote it.
 *
 *     agent/update/result.json
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { LastUpdate } from '@cis490/shared/report.ts'

/** @returns undefined where it never ran, or left nothing that can be read: the report goes without it */
export async function readLastUpdate(stateDir: string): Promise<LastUpdate | undefined> {
  const text = await readFile(join(stateDir, 'update', 'result.json'), 'utf8').catch(() => '')
  return LastUpdate.safeParse(parseObject(text)).data
}
