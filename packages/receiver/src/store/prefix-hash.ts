/**
 * The SHA-256 of what an upload has so far. It lives in memory and runs along with the writes;
 * where it is behind (after a restart, or after bytes were taken back) it reads the file until it has caught up.
 */
import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'

/** Small enough that other requests get their turn between two. */
const pieceBytes = 256 * 1024

export class PrefixHash {
  /** Made with the first byte: an upload that nobody goes on with costs nothing. */
  #hash: Hash | undefined
  #at = 0
  #kept: { readonly hash: Hash | undefined; readonly at: number } = { hash: undefined, at: 0 }
  #following: Promise<void> | undefined
  #stopped = false

  /** @param from place of these bytes in the upload; what does not follow directly is left to be read later */
  update(bytes: Uint8Array, from: number): void {
    if (from !== this.#at) return
    this.#hash ??= createHash('sha256')
    this.#hash.update(bytes)
    this.#at += bytes.length
  }

  /** Where it can go back to. */
  keep(): void {
    this.#kept = { hash: this.#hash?.copy(), at: this.#at }
  }

  /** Bytes from here on were taken back. */
  rewind(to: number): void {
    if (this.#at <= to) return
    const { hash, at } = this.#kept.at <= to ? this.#kept : { hash: undefined, at: 0 }
    this.#hash = hash?.copy()
    this.#at = at
  }

  /** Of an upload that has ended. */
  forget(): void {
    this.#hash = undefined
    this.#at = 0
    this.#kept = { hash: undefined, at: 0 }
  }

  /** @returns the hash of the first `offset` bytes in lower-case hex, if that is where it is */
  at(offset: number): string | undefined {
    return this.#at === offset ? (this.#hash?.copy() ?? createHash('sha256')).digest('hex') : undefined
  }

  /** Catches up in the background for as long as it is behind; a failure shows when somebody needs the hash. */
  follow(file: FileHandle, written: () => number): void {
    if (this.#following || this.#at >= written()) return
    this.#stopped = false
    this.#following = this.#catchUp(file, written)
      .catch(() => undefined)
      .finally(() => {
        this.#following = undefined
      })
  }

  /** Resolves when the file is no longer used. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#following
  }

  /** @returns the hash of the first `length` bytes of the file */
  async complete(file: FileHandle, length: number): Promise<string> {
    await this.stop()
    this.#stopped = false
    await this.#catchUp(file, () => length)
    const hash = this.at(length)
    if (hash === undefined) throw new Error(`the upload has fewer than ${length} bytes`)
    return hash
  }

  async #catchUp(file: FileHandle, written: () => number): Promise<void> {
    const piece = Buffer.allocUnsafe(pieceBytes)
    while (!this.#stopped && this.#at < written()) {
      const from = this.#at
      const { bytesRead } = await file.read(piece, 0, Math.min(piece.length, written() - from), from)
      if (bytesRead === 0) return
      this.update(piece.subarray(0, bytesRead), from)
    }
  }
}
