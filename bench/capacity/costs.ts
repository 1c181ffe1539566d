/** The costs that were measured, and how a file with others is read. */
import { readFileSync } from 'node:fs'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { z } from 'zod'
import type { Costs } from './model.ts'

const positive = z.number().positive()

const CostsFile = z.strictObject({
  cores: positive,
  cpu_s_per_gib: positive,
  main_cpu_s_per_gib: positive,
  cpu_ms_per_episode: positive,
  syncs_per_s: positive,
  syncs_per_episode: positive,
  disk_mb_per_s: positive,
  cpu_ms_per_heartbeat: positive,
  cpu_ms_per_handshake: positive,
  index_bytes_per_row: positive,
  fold_rows_per_s: positive,
}) satisfies z.ZodType<Costs>

/** docs/capacity.md says where each is from. */
export const measured: Costs = {
  cores: 2,
  cpu_s_per_gib: 6.6,
  main_cpu_s_per_gib: 3.4,
  cpu_ms_per_episode: 2.2,
  syncs_per_s: 5000,
  syncs_per_episode: 3,
  disk_mb_per_s: 500,
  cpu_ms_per_heartbeat: 0.3,
  cpu_ms_per_handshake: 2.0,
  index_bytes_per_row: 475,
  fold_rows_per_s: 3_500_000,
}

/** @param path JSON with some of the costs; the others stay as measured here. @throws UserError that says what is wrong */
export function readCosts(path: string): Costs {
  try {
    return { ...measured, ...dropAbsent(CostsFile.partial().parse(JSON.parse(readFileSync(path, 'utf8')))) }
  } catch (error) {
    const [issue] = error instanceof z.ZodError ? error.issues : []
    const why = issue ? `${issue.path.join('.') || 'the document'}: ${issue.message}` : messageOf(error)
    throw new UserError(`${path}: ${why}; costs are numbers above 0: ${Object.keys(measured).join(', ')}`, exit.usage)
  }
}

function dropAbsent(values: { [K in keyof Costs]?: number | undefined }): Partial<Costs> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
