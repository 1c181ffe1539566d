/** `agent/receipt-keys.json`: the receiver's keys that this host believes. Removed by a person, the next signed receipt is a first use again. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import { ed25519KeyId, ed25519Verify, rawEd25519 } from '@cis490/shared/node/ed25519.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { ReceiptKey, ReceiptKeyId, Voucher } from '@cis490/shared/receipt-signature.ts'
import { z } from 'zod'
import { type Arithmetic, type PinnedKey, pinsInForce } from '../core/receipt-trust.ts'

export const arithmetic: Arithmetic = { verify: ed25519Verify, keyId: ed25519KeyId }

/** A believed key as it is written down. */
export const PinnedKeyRow = z.object({
  id: ReceiptKeyId,
  public_key: ReceiptKey.shape.public_key,
  how: z.enum(['first-use', 'vouched', 'configured']),
  vouched_by: z.array(Voucher),
})
const Kept = PinnedKeyRow.extend({ pinned_at: z.string() })
const File = z.object({ keys: z.array(Kept) })
type Kept = z.infer<typeof Kept>

export class ReceiptPins {
  readonly #stateDir: string
  readonly #keysFile: string
  #configured: readonly PinnedKey[] = []
  #kept: readonly Kept[] = []
  #turn: Promise<void> = Promise.resolve()

  /** @param keysFile public keys in PEM form, given by a person; empty: the first signed receipt decides. @throws ConfigError */
  constructor(stateDir: string, keysFile: string) {
    this.#stateDir = stateDir
    this.#keysFile = keysFile
    this.reload()
  }

  /** What a person changed counts from now on. @throws ConfigError, and what held goes on */
  reload(): void {
    const configured = this.#keysFile === '' ? [] : readPublicKeys(this.#keysFile, 'receiver.receipt_keys_file')
    this.#kept = readKept(pinsFile(this.#stateDir))
    this.#configured = configured
  }

  /** Empty: no receiver that signs was ever met. */
  get inForce(): readonly PinnedKey[] {
    return pinsInForce(this.#configured, this.#kept, arithmetic)
  }

  /** Durable when it resolves. The caller holds the agent's lock. @param at RFC 3339 */
  add(keys: readonly PinnedKey[], at: string): Promise<void> {
    const write = this.#turn.then(async () => {
      const fresh = keys.filter(({ id }) => !this.#kept.some((kept) => kept.id === id))
      if (fresh.length === 0) return
      const kept = [...this.#kept, ...fresh.map((key) => ({ ...key, vouched_by: [...key.vouched_by], pinned_at: at }))]
      await makeDir(this.#stateDir)
      await replaceFile(pinsFile(this.#stateDir), `${JSON.stringify({ keys: kept }, null, 2)}\n`)
      this.#kept = kept
    })
    this.#turn = write.catch(() => undefined)
    return write
  }
}

function pinsFile(stateDir: string): string {
  return join(stateDir, 'receipt-keys.json')
}

/** A file that cannot be read is no first use: with it every protection would go. @throws ConfigError */
function readKept(path: string): Kept[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw new ConfigError(`cannot read the pinned receipt keys ${path}: ${messageOf(error)}`)
  }
  const file = File.safeParse(parseObject(text))
  if (file.success) return file.data.keys
  throw new ConfigError(`${path} is damaged; restore it, or remove it to trust the next signed receipt anew`)
}

/** @throws ConfigError */
export function readPublicKeys(path: string, name: string): PinnedKey[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError(`${name}: cannot read ${path}: ${messageOf(error).split(',')[0]}`)
  }
  const blocks = text.match(/-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----/g) ?? []
  const raw = blocks.map((block) => rawEd25519(publicKey(block)))
  if (raw.length === 0 || raw.includes(undefined))
    throw new ConfigError(`${name}: ${path} holds no Ed25519 public keys in PEM form`)
  return raw.map((key) => ({ id: ed25519KeyId(key as string), public_key: key as string, how: 'configured', vouched_by: [] }))

  function publicKey(block: string): KeyObject {
    try {
      return createPublicKey(block)
    } catch (error) {
      throw new ConfigError(`${name}: ${path}: ${messageOf(error)}`)
    }
  }
}
