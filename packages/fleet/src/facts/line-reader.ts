/** Reads the complete lines of a part of a file, block by block, in memory that does not depend on the file. */
import { read, readSync } from 'node:fs'
import { promisify } from 'node:util'
import { longestLine } from '../core/lines.ts'
import { slack } from '../core/row-bytes.ts'

/** Complete lines of a buffer, up to `end`; behind it are at least `slack` readable bytes. */
export type TakeLines = (bytes: Buffer, end: number) => void

const blockSize = 4 << 20
const newline = 0x0a
const readInto = promisify(read)

/** Its buffer serves one read at a time. */
export class LineReader {
  readonly #block: number
  readonly #buffer: Buffer
  /** Where the next block is read from, how many bytes before it are held, and where the lines end that were given. */
  #position = 0
  #kept = 0
  #complete = 0

  /** @param block bytes of one read */
  constructor(block = blockSize) {
    this.#block = block
    this.#buffer = Buffer.allocUnsafeSlow(longestLine + 1 + block + slack)
  }

  /**
   * @param from where a line starts
   * @param to exclusive; the file may be shorter, or grow
   * @returns where the complete lines end: what is behind has no newline yet
   */
  async read(fd: number, from: number, to: number, take: TakeLines): Promise<number> {
    this.#begin(from)
    for (;;) {
      const { bytesRead } = await readInto(fd, this.#buffer, this.#kept, this.#room(to), this.#position)
      if (bytesRead === 0) return this.#complete
      this.#give(bytesRead, take)
    }
  }

  /** The same without a turn of the loop: for a thread that has nothing else to do. */
  readNow(fd: number, from: number, to: number, take: TakeLines): number {
    this.#begin(from)
    for (;;) {
      const bytesRead = readSync(fd, this.#buffer, this.#kept, this.#room(to), this.#position)
      if (bytesRead === 0) return this.#complete
      this.#give(bytesRead, take)
    }
  }

  #begin(from: number): void {
    this.#position = from
    this.#kept = 0
    this.#complete = from
  }

  #room(to: number): number {
    return Math.min(this.#block, to - this.#position)
  }

  #give(bytesRead: number, take: TakeLines): void {
    const [buffer, kept] = [this.#buffer, this.#kept]
    this.#position += bytesRead
    const held = kept + bytesRead
    const end = buffer.subarray(kept, held).lastIndexOf(newline) + 1 + kept
    const lines = end > kept ? end : 0
    if (lines > 0) {
      take(buffer, lines)
      this.#complete = this.#position - (held - lines)
    }
    // More than the longest line is not held: its head alone shows that it is too long.
    this.#kept = Math.min(held - lines, longestLine + 1)
    buffer.copyWithin(0, lines, lines + this.#kept)
  }
}
