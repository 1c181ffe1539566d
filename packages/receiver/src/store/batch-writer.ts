/** Gathers the chunks of a body into batches of about 1 MiB and writes them one after the other, without copying them together. */
import { writevSync } from 'node:fs'
import { giveBack } from '@cis490/shared/node/give-back.ts'
import type { WritableFile } from './body-file.ts'

export const batchBytes = 1 << 20
/** As many as one system call takes; who sends single bytes does not fill the memory with their wrappings. */
const batchChunks = 1024
/** Full batches in memory, the one that is being written included. */
const mostBatches = 3

export class BatchWriter {
  readonly #file: WritableFile
  readonly #onWritten: (written: number) => void
  #gathered: Buffer[] = []
  #gatheredBytes = 0
  #full: Buffer[][] = []
  #written: number
  #writing: Promise<void> | undefined
  #room: PromiseWithResolvers<void> | undefined
  #failure: Error | undefined
  #started = false

  /**
   * @param from where the first batch goes
   * @param onWritten told the new end of what the file has
   */
  constructor(file: WritableFile, from: number, onWritten: (written: number) => void) {
    this.#file = file
    this.#written = from
    this.#onWritten = onWritten
  }

  /** End of what the file has, in bytes; after a failed write too. */
  get written(): number {
    return this.#written
  }

  /** What is not yet in a batch. */
  get gathered(): readonly Buffer[] {
    return this.#gathered
  }

  /** Whether a batch was full already. */
  get started(): boolean {
    return this.#started
  }

  /** What went wrong; nothing is written after that. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** From here on no more is written. */
  fail(error: Error): void {
    this.#failure ??= error
  }

  /** Takes a chunk and owns its memory. @returns a promise to wait for before the next chunk, when the disk is behind. @throws the failure */
  take(chunk: Buffer): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    this.#gathered.push(chunk)
    this.#gatheredBytes += chunk.length
    if (this.#gatheredBytes < batchBytes && this.#gathered.length < batchChunks) return undefined
    this.#startBatch()
    if (this.#full.length < mostBatches) return undefined
    this.#room ??= Promise.withResolvers()
    return this.#room.promise
  }

  /** Waits until everything that was taken is written. @returns what went wrong */
  async flush(): Promise<Error | undefined> {
    if (this.#gathered.length > 0) this.#startBatch()
    await this.#writing
    return this.#failure
  }

  /** The same for a small body that is gathered whole: to the page cache at once, which takes less than to hand it to another thread. */
  flushAtOnce(): Error | undefined {
    try {
      for (let rest: readonly Buffer[] = this.#gathered; rest.length > 0; ) {
        const bytesWritten = writevSync(this.#file.fd, rest, this.#written)
        this.#advance(bytesWritten)
        rest = after(rest, bytesWritten)
      }
    } catch (error) {
      this.fail(error as Error)
    }
    for (const chunk of this.#gathered) giveBack(chunk)
    this.#gathered = []
    return this.#failure
  }

  /** Waits until nothing is being written. */
  async idle(): Promise<void> {
    await this.#writing
  }

  /** What is taken next goes there. Only after `flush`. */
  moveTo(offset: number): void {
    this.#written = offset
  }

  #startBatch(): void {
    this.#started = true
    this.#full.push(this.#gathered)
    this.#gathered = []
    this.#gatheredBytes = 0
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
    })
  }

  async #writeAll(): Promise<void> {
    for (let batch = this.#full[0]; batch; batch = this.#full[0]) {
      if (this.#failure === undefined) await this.#write(batch).catch((error: unknown) => this.fail(error as Error))
      this.#full.shift()
      for (const chunk of batch) giveBack(chunk)
      this.#room?.resolve()
      this.#room = undefined
    }
  }

  async #write(batch: readonly Buffer[]): Promise<void> {
    for (let rest = batch; rest.length > 0; ) {
      const { bytesWritten } = await this.#file.writev(rest, this.#written)
      this.#advance(bytesWritten)
      rest = after(rest, bytesWritten)
    }
  }

  /** After each part: where the next one fails, this is the end. */
  #advance(bytes: number): void {
    this.#written += bytes
    this.#onWritten(this.#written)
  }
}

/** A disk that is nearly full takes a part of what it is given. @returns what it did not take */
function after(chunks: readonly Buffer[], bytes: number): readonly Buffer[] {
  let left = bytes
  let k = 0
  for (; k < chunks.length && left >= (chunks[k] as Buffer).length; k++) left -= (chunks[k] as Buffer).length
  return left === 0 ? chunks.slice(k) : [(chunks[k] as Buffer).subarray(left), ...chunks.slice(k + 1)]
}
