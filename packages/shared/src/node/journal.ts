/**
 * An append-only file of JSON lines whose rows are durable before anybody is told.
 * Group commit: all rows that wait go out in one write and one fdatasync.
 * A failed write or sync leaves an unknown state, so the journal refuses everything after it until it is opened anew.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDir, writeAll } from './durable.ts'
import { readTail } from './tail.ts'

export class JournalBroken extends Error {
  override readonly name = 'JournalBroken'
}

interface Waiting {
  readonly encode: () => string
  readonly resolve: (line: string) => void
  readonly reject: (error: unknown) => void
}

export class Journal implements AsyncDisposable {
  readonly path: string
  #file: FileHandle
  #size: number
  #last: Buffer | undefined
  #waiting: Waiting[] = []
  #running: Promise<void> | undefined
  #broken: unknown

  private constructor(path: string, file: FileHandle, size: number, last: Buffer | undefined) {
    this.path = path
    this.#file = file
    this.#size = size
    this.#last = last
  }

  /**
   * Opens or creates the file. A torn last line (no newline, or NULs after a power cut) is cut off: no one was told of it.
   * @param onTorn told the bytes that were cut off
   */
  static async open(path: string, onTorn: (bytes: Buffer) => void = () => undefined): Promise<Journal> {
    const file = await open(path, 'a+', 0o640)
    try {
      const { torn, complete, lastBytes } = await readTail(file)
      if (torn.length > 0) {
        onTorn(torn)
        await file.truncate(complete)
      }
      await file.sync()
      await syncDir(dirname(path))
      return new Journal(path, file, complete, lastBytes && Buffer.from(lastBytes))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Bytes of complete lines. */
  get size(): number {
    return this.#size
  }

  /** The last durable line, without its newline. */
  get last(): string | undefined {
    return this.#last?.toString('utf8')
  }

  /** The same as it lies on disk: a damaged line may be no UTF-8. */
  get lastBytes(): Buffer | undefined {
    return this.#last
  }

  get broken(): boolean {
    return this.#broken !== undefined
  }

  /**
   * After a failure: the same file under a fresh handle, cut back to what is durable, so that a row that was promised to nobody is not there.
   * The failed sync is not tried again. @throws what keeps it from being cut back; then the journal stays broken
   */
  async reopen(): Promise<Journal> {
    while (this.#running) await this.#running
    const file = await open(this.path, 'a+', 0o640)
    try {
      const { size } = await file.stat()
      if (size < this.#size) throw new JournalBroken(`${this.path} is shorter than what was written to it`)
      if (size > this.#size) await file.truncate(this.#size)
      await file.sync()
    } catch (error) {
      await file.close()
      throw error
    }
    await this.#file.close().catch(() => undefined)
    return new Journal(this.path, file, this.#size, this.#last)
  }

  /** Appends one row. Resolves, with the line as written, when it would survive a power cut. */
  append(row: object): Promise<string> {
    return this.appendLate(() => JSON.stringify(row))
  }

  /** The same for a row that is made at the moment of writing, in the order of the file. */
  appendLate(encode: () => string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ encode, resolve, reject })
      this.#running ??= this.#drain()
    })
  }

  async #drain(): Promise<void> {
    // One turn of the loop, so that all who are about to append share the write.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#waiting
      this.#waiting = []
      try {
        if (this.#broken !== undefined) throw new JournalBroken(`${this.path} failed before`, { cause: this.#broken })
        const lines = group.map((one) => one.encode())
        await this.#write(Buffer.from(`${lines.join('\n')}\n`))
        this.#last = Buffer.from(lines.at(-1) ?? '')
        for (const [k, one] of group.entries()) one.resolve(lines[k] as string)
      } catch (error) {
        this.#broken ??= error
        for (const one of group) one.reject(error)
      }
    }
    this.#running = undefined
  }

  async #write(bytes: Buffer): Promise<void> {
    try {
      await writeAll(this.#file, bytes)
      await this.#file.datasync()
      this.#size += bytes.length
    } catch (error) {
      // Rows of this write were promised to nobody; what is left of them must not become half a row.
      await this.#file.truncate(this.#size).catch(() => undefined)
      throw error
    }
  }

  /** Waits for what was appended, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#running) await this.#running
    await this.#file.close()
  }
}
