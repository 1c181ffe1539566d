/**
 * The last heartbeat, for `status` and `doctor`: a process of their own.
 *
 *     agent/heartbeat.json
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Directives } from '@cis490/shared/heartbeat.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { replaceFile } from '@cis490/shared/node/durable.ts'
import { z } from 'zod'

export const LastBeat = z.object({
  at: z.iso.datetime(),
  /** `heard`, or the code of the refusal or fault. */
  outcome: z.string(),
  /** When the receiver heard one last. */
  heard_at: z.iso.datetime().optional(),
  /** When the certificate that is in use ends. */
  cert_not_after: z.iso.datetime().optional(),
  /** What it asked then. */
  directives: Directives.optional(),
})
export type LastBeat = z.infer<typeof LastBeat>

function pathOf(stateDir: string): string {
  return join(stateDir, 'heartbeat.json')
}

/** @returns undefined where none was sent, or nobody can tell */
export function readLastBeat(stateDir: string): LastBeat | undefined {
  try {
    return LastBeat.safeParse(parseObject(readFileSync(pathOf(stateDir), 'utf8'))).data
  } catch {
    return undefined
  }
}

export async function writeLastBeat(stateDir: string, beat: LastBeat): Promise<void> {
  await replaceFile(pathOf(stateDir), `${JSON.stringify(beat)}\n`, 0o644)
}
