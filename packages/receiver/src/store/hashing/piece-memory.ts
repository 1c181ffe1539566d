/** Memory in pieces that begin at a page: the disk takes them as they are, past the page cache, and a thread hashes them at the same time. */

/** What the disk wants place in memory, place in the file and length to be multiples of. */
export const pageBytes = 4096
/** Disk and thread are woken for each: of 1 MiB they cost three percent more CPU. */
export const pieceBytes = 2 << 20

/** The unit of WebAssembly's memory, the only one in JavaScript that begins at a page. */
const wasmPageBytes = 1 << 16

/** Node has it, its types have not. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => { readonly buffer: SharedArrayBuffer }
}

export class PieceMemory {
  readonly #most: number
  readonly #free: Buffer[] = []
  readonly #waiting: ((piece: Buffer) => void)[] = []
  #made = 0

  /** @param most pieces that there ever are; each is made when it is needed */
  constructor(most: number) {
    this.#most = most
  }

  /** @returns undefined where no more than half of the pieces would be left for those who have theirs only while disk and hash need it */
  takeSpare(): Buffer | undefined {
    return this.#free.length + this.#most - this.#made > this.#most / 2 ? (this.#free.pop() ?? this.#make()) : undefined
  }

  /** A piece of `pieceBytes` to fill; whoever comes first gets the next one that is given back. */
  async take(): Promise<Buffer> {
    const free = this.#free.pop()
    if (free) return free
    if (this.#made < this.#most) return this.#make()
    return await new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Nobody reads it any more. */
  give(piece: Buffer): void {
    const next = this.#waiting.shift()
    if (next) next(piece)
    else this.#free.push(piece)
  }

  #make(): Buffer {
    const pages = pieceBytes / wasmPageBytes
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    this.#made += 1
    return Buffer.from(buffer)
  }
}
