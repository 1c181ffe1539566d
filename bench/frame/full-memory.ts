/**
 * Memory as it is on a server that has run for a day: nothing free, all the rest page cache that can be given up. A virtual machine may give
 * free pages back to its host; who takes the next one then pays for fetching it, several times the cost of a write into it, and how many of
 * those a contender meets would be chance.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** All holes: it takes no room on the disk, and ends after every bench. */
const fileBytes = 2 ** 42
const pieceBytes = 8 << 20
const mib = 2 ** 20
/** The kernel gives up cache in such amounts ahead of need. */
const aheadBytes = 1536 * mib
/** Left for whatever asks for memory before the kernel has looked. */
const leftBytes = 320 * mib

export class FullMemory implements Disposable {
  readonly #path: string
  #at = 0
  #held: Buffer | undefined

  /** @param dir for a file of holes */
  constructor(dir: string) {
    this.#path = join(dir, 'holes')
  }

  /** Caches holes, and holds what the kernel keeps free beside them. About a second for each GiB that is free. */
  async fill(): Promise<void> {
    this[Symbol.dispose]()
    await using holes = await open(this.#path, 'a+')
    await holes.truncate(fileBytes)
    // Twice as much as it takes is enough, whatever others do meanwhile.
    for (let most = 2 * (await freeBytes()); most > 0 && (await freeBytes()) > aheadBytes; most -= aheadBytes / 4)
      await this.#read(holes, aheadBytes / 4)
    // Where holes are not cached (a folder in memory, a bound on this process) most of it is still free, and stays so.
    const spare = Math.min(await freeBytes(), aheadBytes) - leftBytes
    if (spare > 0) this.#held = Buffer.alloc(spare, 1)
  }

  async #read(file: FileHandle, bytes: number): Promise<void> {
    const piece = Buffer.allocUnsafe(pieceBytes)
    for (const end = this.#at + bytes; this.#at < end; this.#at += pieceBytes) await file.read(piece, 0, pieceBytes, this.#at)
  }

  [Symbol.dispose](): void {
    const { buffer } = this.#held ?? {}
    this.#held = undefined
    if (buffer instanceof ArrayBuffer) buffer.transfer(0)
  }
}

/** 0 where the system does not tell: there is nothing to fill then. */
async function freeBytes(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'latin1').catch(() => '')
  return Number(/^MemFree:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024
}
