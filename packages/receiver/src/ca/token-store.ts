/**
 * Join tokens, a file each. `<id>.json` is written by the operator's command, `<id>.used` by the receiver, by link: of two hosts that
 * come with one token at once exactly one gets it. It stays bound to that host's key, so that a host whose answer was lost may ask again.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HostName, timestamp } from '@cis490/shared/ids.ts'
import { linkNew, makeDir, removeFile, syncDir, writeNew } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { z } from 'zod'
import { type JoinToken, judgeToken, type TokenVerdict } from '../core/join-token.ts'

const day = 86_400_000
/** So long after its end a token is still told to be expired, and not unknown. */
const keptMs = 7 * day

const TokenFile = z.object({
  id: z.string(),
  host: HostName,
  secret_sha256: z.string().regex(/^[0-9a-f]{64}$/),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime(),
  by: z.string(),
})
export type TokenFile = z.infer<typeof TokenFile>

export interface ListedToken extends Omit<TokenFile, 'secret_sha256'> {
  readonly state: 'open' | 'used' | 'expired'
}

/** What a token is asked for. */
export interface Join {
  readonly host: string
  /** SHA-256 of the public key that the certificate is for. */
  readonly key: string
  /** Epoch milliseconds. */
  readonly now: number
}

export class TokenStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** @param pin of the CA that the host will find. @returns the token when it would survive a power cut; its secret is kept nowhere */
  async create(
    host: HostName,
    pin: string,
    validity: { readonly now: number; readonly ms: number },
    by: string,
  ): Promise<JoinToken> {
    await makeDir(this.#folder, 0o700)
    const token: JoinToken = { id: randomBytes(4).toString('hex'), secret: randomBytes(32).toString('base64url'), pin }
    const row: TokenFile = {
      id: token.id,
      host,
      secret_sha256: sha256(token.secret).toString('hex'),
      created_at: timestamp(validity.now),
      expires_at: timestamp(validity.now + validity.ms),
      by,
    }
    // An id that is taken: another one.
    if (!(await this.#place(`${token.id}.json`, row))) return await this.create(host, pin, validity, by)
    return token
  }

  /** Whether it would be taken from this host, before anything is done for it; for which key is not asked. @param pins of the CAs that may stand in it */
  async judge(token: JoinToken, pins: readonly string[], { host, now }: Omit<Join, 'key'>): Promise<TokenVerdict> {
    const row = await this.#read(token.id)
    // The same work for a token that is not there.
    const secretFits = timingSafeEqual(sha256(token.secret), Buffer.from(row?.secret_sha256 ?? ''.padEnd(64, '0'), 'hex'))
    const facts = row && { host: row.host, expiresAt: Date.parse(row.expires_at), secretFits, pinFits: pins.includes(token.pin) }
    return judgeToken(facts, host, now)
  }

  /** Uses a token up for one key. When it says `good` that is durable. */
  async redeem(token: JoinToken, pins: readonly string[], { host, key, now }: Join): Promise<TokenVerdict | 'used'> {
    const verdict = await this.judge(token, pins, { host, now })
    if (verdict !== 'good') return verdict
    if (await this.#place(`${token.id}.used`, { at: timestamp(now), key_sha256: key })) return 'good'
    return (await this.#usedFor(token.id)) === key ? 'good' : 'used'
  }

  /** Whether nobody has taken it away. */
  async has(id: string): Promise<boolean> {
    return (await this.#read(id)) !== undefined
  }

  async list(now: number): Promise<ListedToken[]> {
    const listed: ListedToken[] = []
    for (const name of await names(this.#folder)) {
      const row = name.endsWith('.json') ? await this.#read(name.slice(0, -5)) : undefined
      if (!row) continue
      const { secret_sha256: _, ...shown } = row
      const used = (await this.#usedFor(row.id)) !== undefined
      listed.push({ ...shown, state: used ? 'used' : Date.parse(row.expires_at) <= now ? 'expired' : 'open' })
    }
    return listed.sort((a, b) => a.created_at.localeCompare(b.created_at))
  }

  /** @returns false when there is none */
  async remove(id: string): Promise<boolean> {
    const removed = await removeFile(join(this.#folder, `${id}.json`))
    await removeFile(join(this.#folder, `${id}.used`))
    if (removed) await syncDir(this.#folder)
    return removed
  }

  /** Takes away what ended a while ago, and what a crash left. @returns how many tokens */
  async clean(now: number): Promise<number> {
    let removed = 0
    const all = await names(this.#folder)
    for (const name of all) {
      const path = join(this.#folder, name)
      const [id = '', kind] = name.split(/\.(?=[a-z]+$)/)
      const orphan = kind === 'tmp' || (kind === 'used' && !all.includes(`${id}.json`))
      if (orphan && now - (await mtime(path)) > day) await removeFile(path)
      if (kind !== 'json') continue
      const row = await this.#read(id)
      if (row && now - Date.parse(row.expires_at) > keptMs && (await this.remove(id))) removed += 1
    }
    return removed
  }

  async #read(id: string): Promise<TokenFile | undefined> {
    return TokenFile.safeParse(await readJson(join(this.#folder, `${id}.json`))).data
  }

  async #usedFor(id: string): Promise<string | undefined> {
    const used = z.object({ key_sha256: z.string() }).safeParse(await readJson(join(this.#folder, `${id}.used`)))
    return used.data?.key_sha256
  }

  /** Whole and durable under its name, or not there. @returns false when the name is taken */
  async #place(name: string, row: object): Promise<boolean> {
    const temp = join(this.#folder, `${name}-${randomBytes(4).toString('hex')}.tmp`)
    await writeNew(temp, `${JSON.stringify(row)}\n`, 0o600)
    try {
      const placed = linkNew(temp, join(this.#folder, name))
      await syncDir(this.#folder)
      return placed
    } finally {
      await removeFile(temp)
    }
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
    throw error
  }
}

async function names(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  })
}

async function mtime(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mtimeMs ?? 0
}
