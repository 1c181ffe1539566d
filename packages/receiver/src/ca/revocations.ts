/** `revoked.jsonl`: what an operator has thrown out. Appended by a command, read by the receiver when it changes. */
import { appendFile, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HostName, Sha256 } from '@cis490/shared/ids.ts'
import { parseObject, splitLines } from '@cis490/shared/jsonl.ts'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { makeDir, syncDir } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import { z } from 'zod'
import { type Revoked, revokedBy } from '../core/revocation.ts'

const RevokedRow = z
  .object({
    at: z.iso.datetime(),
    host: HostName.optional(),
    fingerprint: Sha256.optional(),
    /** The certificate that was named: this one shares its key or goes back to it. */
    along_with: Sha256.optional(),
    reason: z.string(),
    by: z.string(),
  })
  .refine(({ host, fingerprint }) => (host === undefined) !== (fingerprint === undefined), 'a host or a fingerprint')
export type RevokedRow = z.infer<typeof RevokedRow>

/** Half a last row was told to nobody; a whole one without its newline is what an editor left, and counts. @throws ConfigError with file and line: a revocation that cannot be read must not pass unseen */
export function parseRevoked(text: string, path: string): RevokedRow[] {
  const rows = splitLines(Buffer.from(text)).lines.map((line, index) => {
    const row = RevokedRow.safeParse(parseObject(line))
    if (row.success) return row.data
    throw new ConfigError(`${path}:${index + 1}: this is no revocation; correct the line, or take it out`)
  })
  return [...rows, ...lastRow(text)]
}

/** The last row where its newline is missing. */
function lastRow(text: string): RevokedRow[] {
  const row = RevokedRow.safeParse(parseObject(text.slice(text.lastIndexOf('\n') + 1)))
  return row.success ? [row.data] : []
}

export function readRevoked(text: string, path: string): Revoked {
  return revokedBy(parseRevoked(text, path).map((row) => ({ ...row, at: Date.parse(row.at) })))
}

export async function revokedRows(path: string): Promise<RevokedRow[]> {
  return parseRevoked(await textOf(path), path)
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  })
}

/** The file has to be there for a receiver that watches it. */
export async function makeRevokedFile(path: string): Promise<void> {
  await makeDir(dirname(path))
  // Never as a journal: a row that a command is writing now would look torn, and be cut off.
  await using _ = await open(path, 'a', 0o640)
  await syncDir(dirname(path))
}

/** Durable when it returns. The caller holds the CA's lock. */
export async function appendRevoked(path: string, ...rows: readonly RevokedRow[]): Promise<void> {
  await makeDir(dirname(path))
  // A journal would cut it off.
  if (lastRow(await textOf(path)).length > 0) await appendFile(path, '\n', { flush: true })
  await using journal = await Journal.open(path)
  await Promise.all(rows.map((row) => journal.append(row)))
}
