/** Bytes of a body in a piece of memory, where they lie in its pages as they will in the file's. */
import { pageBytes } from './hashing/piece-memory.ts'

export class Batch {
  readonly piece: Buffer
  /** Where in the file it begins. */
  readonly from: number
  readonly #begin: number
  #end: number

  constructor(piece: Buffer, from: number) {
    this.piece = piece
    this.from = from
    this.#begin = from % pageBytes
    this.#end = this.#begin
  }

  get bytes(): Buffer {
    return this.piece.subarray(this.#begin, this.#end)
  }

  get length(): number {
    return this.#end - this.#begin
  }

  /** Where a batch of that many bytes would have to end, so that the next one begins at a page. */
  toPage(bytes: number): number {
    const end = Math.min(this.#begin + bytes, this.piece.length)
    return end < pageBytes ? bytes : end - (end % pageBytes) - this.#begin
  }

  get full(): boolean {
    return this.#end === this.piece.length
  }

  /** @returns how many bytes of the chunk it took: all, or what it had room for */
  add(chunk: Buffer, most = chunk.length): number {
    const begin = this.#end
    const copied = Math.min(chunk.length, most, this.piece.length - begin)
    this.#end = begin + copied
    // Not `copy`: into memory that threads share, that goes by words and takes four times as long.
    if (copied > 0) this.piece.fill(chunk, begin, this.#end)
    return copied
  }
}
