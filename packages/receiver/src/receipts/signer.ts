/** The keys that sign receipts: one PEM file, the newest private key first; the older ones vouch for the newer. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { ed25519KeyId, ed25519Sign, rawEd25519 } from '@cis490/shared/node/ed25519.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { formatReceiptSignature, type ReceiptKeys, vouchText } from '@cis490/shared/receipt-signature.ts'

interface SigningKey {
  readonly id: string
  readonly publicKey: string
  readonly privateKey: KeyObject
}

export class ReceiptSigner {
  readonly #path: string
  #keys: readonly SigningKey[]

  /** @param path empty: receipts are not signed. @throws ConfigError */
  constructor(path: string) {
    this.#path = path
    this.#keys = path === '' ? [] : readKeys(path)
  }

  /** Takes up a changed file. @throws ConfigError, and the old keys stay */
  reload(): void {
    if (this.#path !== '') this.#keys = readKeys(this.#path)
  }

  /** What an operator should mend: who can read the key can sign receipts. The group may, a service manager hands out credentials so. */
  get warning(): string | undefined {
    if (this.#path === '' || (modeOf(this.#path) & 0o007) === 0) return undefined
    return `everybody on this machine can read ${this.#path}; mend it: chmod 600 ${this.#path}`
  }

  /** @returns the value of X-Cis490-Receipt-Signature; undefined where receipts are not signed */
  sign(text: string): string | undefined {
    const [current] = this.#keys
    return current && formatReceiptSignature({ key: current.id, signature: ed25519Sign(text, current.privateKey) })
  }

  /** What `GET /v1/receipt-keys` answers. */
  keys(): ReceiptKeys {
    return {
      keys: this.#keys.map(({ id, publicKey }, place) => ({
        id,
        algorithm: 'ed25519',
        public_key: publicKey,
        current: place === 0,
        vouched_by: this.#keys
          .slice(place + 1)
          .map((older) => ({ id: older.id, signature: ed25519Sign(vouchText(publicKey), older.privateKey) })),
      })),
    }
  }
}

function readKeys(path: string): SigningKey[] {
  const text = readPrivate(path)
  const blocks = text.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----/g) ?? []
  if (blocks.length === 0)
    throw new ConfigError(
      `receipts.key_file: ${path} holds no private key in PEM form; make one: cis490-receiver receipt-key create`,
    )
  const keys = blocks.map((block, place) => readKey(block, `${path}, key ${place + 1}`))
  const twice = keys.find(({ id }, place) => keys.findIndex((other) => other.id === id) !== place)
  if (twice) throw new ConfigError(`receipts.key_file: ${path} holds the key ${twice.id} twice`)
  return keys
}

function readKey(block: string, where: string): SigningKey {
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(block)
  } catch (error) {
    throw new ConfigError(`receipts.key_file: ${where} is not a private key in PEM form: ${messageOf(error)}`)
  }
  const publicKey = rawEd25519(privateKey)
  if (publicKey === undefined)
    throw new ConfigError(`receipts.key_file: ${where} is of type ${privateKey.asymmetricKeyType}; Ed25519 is expected`)
  return { id: ed25519KeyId(publicKey), publicKey, privateKey }
}

/** @throws ConfigError. Whoever can write this file chooses who signs. */
function readPrivate(path: string): string {
  try {
    const mode = modeOf(path)
    if ((mode & 0o022) !== 0)
      throw new ConfigError(
        `receipts.key_file: ${path} has mode ${mode.toString(8)}, others can change it; mend it: chmod 600 ${path}`,
      )
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const step = isErrno(error, 'ENOENT') ? '; make it: cis490-receiver receipt-key create' : ''
    throw new ConfigError(`receipts.key_file: cannot read ${path}: ${messageOf(error).split(',')[0]}${step}`)
  }
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}
