/** `issued.jsonl`: each certificate that was given out, in a row that is durable before anybody has the certificate. */
import { readFile } from 'node:fs/promises'
import { HostName, Sha256 } from '@cis490/shared/ids.ts'
import { parseObject, splitLines } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import { z } from 'zod'

const IssuedRow = z.object({
  at: z.iso.datetime(),
  host: HostName,
  serial: z.string(),
  fingerprint: Sha256,
  not_after: z.iso.datetime(),
  by: z.enum(['token', 'renewal']),
  /** Id of the join token. */
  token: z.string().optional(),
  /** Fingerprint of the certificate that asked for its successor. */
  replaces: Sha256.optional(),
  /** Of the public key that it is for. */
  key_sha256: Sha256.optional(),
  /** Of the token that this goes back to. */
  joined_at: z.iso.datetime(),
})
export type IssuedRow = z.infer<typeof IssuedRow>

/** An expired certificate may still report and renew for 30 days. */
const keptMs = 31 * 86_400_000

export class IssuedLog implements AsyncDisposable {
  #journal: Journal
  /** One for all who come while it runs: a second would cut off what was appended after the first. */
  #reopening: Promise<void> | undefined
  /** Fingerprint to when its host joined and when it ends, ms, and to what it replaced. */
  readonly #known = new Map<string, { joinedAt: number; endsAt: number; replaces: string | undefined }>()

  private constructor(journal: Journal, rows: readonly IssuedRow[]) {
    this.#journal = journal
    for (const row of rows) this.#note(row)
  }

  /** @param now epoch milliseconds */
  static async open(path: string, now: number): Promise<IssuedLog> {
    const journal = await Journal.open(path)
    const rows = await readIssued(path)
    return new IssuedLog(
      journal,
      rows.filter((row) => stillSpeaks(row, now)),
    )
  }

  /** @returns undefined for a certificate that is not from here */
  joinedAt(fingerprint: string): number | undefined {
    return this.#known.get(fingerprint)?.joinedAt
  }

  /** @returns the fingerprint of the certificate that asked for this one */
  replaced(fingerprint: string): string | undefined {
    return this.#known.get(fingerprint)?.replaces
  }

  async append(row: IssuedRow): Promise<void> {
    // After a full disk: the next host need not wait for a restart.
    if (this.#journal.broken) {
      this.#reopening ??= this.#reopen().finally(() => {
        this.#reopening = undefined
      })
      await this.#reopening
    }
    await this.#journal.append(row)
    this.#note(row)
  }

  async #reopen(): Promise<void> {
    this.#journal = await this.#journal.reopen()
  }

  forget(now: number): void {
    for (const [fingerprint, { endsAt }] of this.#known) if (now - endsAt >= keptMs) this.#known.delete(fingerprint)
  }

  #note(row: IssuedRow): void {
    this.#known.set(row.fingerprint, {
      joinedAt: Date.parse(row.joined_at),
      endsAt: Date.parse(row.not_after),
      replaces: row.replaces,
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#journal[Symbol.asyncDispose]()
  }
}

/** Whether it may still report and renew. @param now epoch milliseconds */
export function stillSpeaks({ not_after }: Pick<IssuedRow, 'not_after'>, now: number): boolean {
  return now - Date.parse(not_after) < keptMs
}

/** A line that cannot be read is left out: who has that certificate goes on as if nobody had recorded it. */
export async function readIssued(path: string): Promise<IssuedRow[]> {
  const bytes = await readFile(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return Buffer.alloc(0)
    throw error
  })
  return splitLines(bytes).lines.flatMap((line) => IssuedRow.safeParse(parseObject(line)).data ?? [])
}
