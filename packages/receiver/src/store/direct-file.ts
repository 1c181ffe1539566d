/**
 * A large body on its way past the page cache: whole pages go from our memory to the disk. The cache would cost a copy in, a copy out for the
 * hash, and the place of what others read. What is no whole page goes through the cache, and all of it where the file system wants it so.
 */
import { closeSync, constants, fstatSync, openSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { isErrno } from '@cis490/shared/node/errno.ts'
import type { WritableFile } from './body-file.ts'
import { pageBytes } from './hashing/piece-memory.ts'

const writeAt = promisify(write)

export class DirectFile {
  readonly #file: WritableFile
  #fd: number | undefined

  /** @param path of the same file, which has this name until `close` */
  constructor(file: WritableFile, path: string) {
    this.#file = file
    this.#fd = openDirect(path)
  }

  /** Whether the page cache is left out. */
  get direct(): boolean {
    return this.#fd !== undefined
  }

  /**
   * @param bytes lie in their page as they will in the file's
   * @returns how many the disk took: all, or fewer where a page is not whole or the disk is nearly full. @throws the system's error
   */
  async write(bytes: Uint8Array, position: number): Promise<number> {
    const whole = bytes.length - (bytes.length % pageBytes)
    if (this.#fd !== undefined && position % pageBytes === 0 && whole > 0) {
      try {
        const { bytesWritten } = await writeAt(this.#fd, bytes, 0, whole, position)
        return bytesWritten
      } catch (error) {
        // The file opens so, but this disk wants more than pages.
        if (!isErrno(error, 'EINVAL')) throw error
        this.close()
      }
    }
    const toPage = this.#fd === undefined ? bytes.length : pageBytes - (position % pageBytes)
    const { bytesWritten } = await this.#file.writev([bytes.subarray(0, toPage)], position)
    return bytesWritten
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}

/** @returns undefined where there is none: all goes through the page cache then */
function openDirect(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_DIRECT)
  } catch {
    return undefined
  }
}

/** Who hashes memory has not seen the file. @throws Error where the file is shorter than what was written to it */
export function requireLength(fd: number, bytes: number): void {
  const { size } = fstatSync(fd)
  if (size < bytes) throw new Error(`a file has ${size} bytes of the ${bytes} that were written to it`)
}
