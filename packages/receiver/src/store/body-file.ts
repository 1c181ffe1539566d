/** The new file of one body: made and closed where its owner is, which takes less than to hand it to another thread. What waits for the disk goes there. */
import { closeSync, fdatasync, fsync, openSync, read, writev } from 'node:fs'
import { promisify } from 'node:util'

/** What a writer needs of a file; Node's own handle has it too. */
export interface WritableFile {
  readonly fd: number
  writev(chunks: readonly Uint8Array[], position: number): Promise<{ bytesWritten: number }>
}

/** What a hash needs of a file. */
export interface ReadableFile {
  readonly fd: number
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>
}

const threads = {
  fsync: promisify(fsync),
  fdatasync: promisify(fdatasync),
  writev: promisify(writev),
  read: promisify(read),
}

export class BodyFile implements WritableFile, ReadableFile {
  #fd: number | undefined
  #calls = 0
  #idle: PromiseWithResolvers<void> | undefined
  readonly #called = () => {
    this.#calls -= 1
    if (this.#calls === 0) this.#idle?.resolve()
  }

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** @throws the system's error, EEXIST for a name that is taken */
  static create(path: string): BodyFile {
    return new BodyFile(openSync(path, 'wx+', 0o640))
  }

  /** @throws Error once it is closed: the number may be another file's by then */
  get fd(): number {
    if (this.#fd === undefined) throw new Error('the file of the body is closed')
    return this.#fd
  }

  sync(): Promise<void> {
    return this.#call(threads.fsync(this.fd))
  }

  datasync(): Promise<void> {
    return this.#call(threads.fdatasync(this.fd))
  }

  writev(chunks: readonly Uint8Array[], position: number): Promise<{ bytesWritten: number }> {
    return this.#call(threads.writev(this.fd, chunks, position))
  }

  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }> {
    return this.#call(threads.read(this.fd, into, offset, length, position))
  }

  /** At once where no thread has it; else after the last, with a promise. Nothing can be begun from here on. */
  close(): Promise<void> | undefined {
    const fd = this.fd
    this.#fd = undefined
    if (this.#calls === 0) {
      closeSync(fd)
      return undefined
    }
    this.#idle = Promise.withResolvers()
    return this.#idle.promise.then(() => closeSync(fd))
  }

  /** Whoever asked hears of a failure; here it only counts that it is over. */
  #call<T>(running: Promise<T>): Promise<T> {
    this.#calls += 1
    running.then(this.#called, this.#called)
    return running
  }
}
