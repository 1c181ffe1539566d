/** `revoked.jsonl`: what an operator has thrown out. Appended by a command, read by the receiver when it changes. */
import { open, readFile } from 'node:fs/promises'
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

/** A last row without its end was told to nobody. @throws ConfigError with file and line: a revocation that cannot be read must not pass unseen */
export function parseRevoked(text: string, path: string): RevokedRow[] {
  return splitLines(Buffer.from(text)).lines.map((line, index) => {
    const row = RevokedRow.safeParse(parseObject(line))
    if (row.success) return row.data
    throw new ConfigError(`${path}:${index + 1}: this is no revocation; correct the line, or take it out`)
  })
}

export function readRevoked(text: string, path: string): Revoked {
  return revokedBy(parseRevoked(text, path).map((row) => ({ ...row, at: Date.parse(row.at) })))
}

export async function revokedRows(path: string): Promise<RevokedRow[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  })
  return parseRevoked(text, path)
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
  await using journal = await Journal.open(path)
  await Promise.all(rows.map((row) => journal.append(row)))
}
