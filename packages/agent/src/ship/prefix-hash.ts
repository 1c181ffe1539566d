/** SHA-256 of the beginning of an archive, for a receiver that says which beginning it has. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** Goes on from where it was asked last: an upload that is cut often does not read its archive as often. */
export class PrefixHash {
  readonly #path: string
  #hash: Hash = createHash('sha256')
  #position = 0

  constructor(path: string) {
    this.#path = path
  }

  /** Hex, of the bytes before `offset`. @throws the fault of the disk; a file that is shorter has no such beginning and never fits */
  async upTo(offset: number, signal?: AbortSignal): Promise<string> {
    if (offset < this.#position) {
      this.#hash = createHash('sha256')
      this.#position = 0
    }
    if (offset > this.#position) {
      const hash = this.#hash.copy()
      const range = { start: this.#position, end: offset - 1, highWaterMark: 1 << 20 }
      const stream = createReadStream(this.#path, { ...range, ...(signal && { signal }) })
      for await (const chunk of stream as AsyncIterable<Uint8Array>) hash.update(chunk)
      this.#hash = hash
      this.#position = offset
    }
    return this.#hash.copy().digest('hex')
  }
}
