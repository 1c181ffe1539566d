/**
 * Memory as it is on a server that has run for a day: full of page cache. A virtual machine may give free pages back to its host; who takes
 * the next one then pays for fetching it, several times the cost of a write, and which contender that is would be chance.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** All holes: it takes no room on the disk, and ends after every bench. */
const fileBytes = 2 ** 42
const pieceBytes = 8 << 20
const stepBytes = 128 << 20

export class FillMemory {
  readonly #path: string
  #at = 0

  /** @param dir for a file of holes */
  constructor(dir: string) {
    this.#path = join(dir, 'holes')
  }

  /** Reads holes until no pages are free but those that the kernel keeps. The first time about a second a GiB, then as long as what was freed since. */
  async fill(): Promise<void> {
    await using holes = await open(this.#path, 'a+')
    await holes.truncate(fileBytes)
    for (let before = await freeBytes(), fell = true; fell; ) {
      await this.#read(holes, stepBytes)
      const now = await freeBytes()
      fell = before - now > stepBytes / 2
      before = now
    }
  }

  async #read(file: FileHandle, bytes: number): Promise<void> {
    const piece = Buffer.allocUnsafe(pieceBytes)
    for (const end = this.#at + bytes; this.#at < end; this.#at += pieceBytes) await file.read(piece, 0, pieceBytes, this.#at)
  }
}

/** 0 where the system does not tell: there is nothing to fill then. */
async function freeBytes(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'latin1').catch(() => '')
  return Number(/^MemFree:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) * 1024
}
