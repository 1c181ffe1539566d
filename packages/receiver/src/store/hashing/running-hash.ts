/** The SHA-256 of a file that is being written. A worker gets the bytes that are written, or reads behind the writer; between two writers it keeps its place. */
import { createHash } from 'node:crypto'
import type { ReadableFile } from '../body-file.ts'
import { hashHere } from './hash-here.ts'
import type { HashThread, Listener } from './hash-thread.ts'
import type { FromWorker } from './messages.ts'
import type { PieceMemory } from './piece-memory.ts'

/** Who reads behind the writer finds so much in the page cache; further behind it might have to be read from the disk. */
const mostBehind = 64 << 20

/** A thread that ends under a file is replaced once; after that the file is read on the main thread. */
const mostThreads = 2

/** Read on the main thread without a second thought. */
const fewBytes = 1 << 20

export class RunningHash implements Listener {
  /** For what is handed over. */
  readonly pieces: PieceMemory
  readonly #id: number
  readonly #nextThread: () => HashThread | undefined
  #file: ReadableFile | undefined
  #thread: HashThread | undefined
  #threads = 0
  #upto = 0
  #at = 0
  /** Bytes that were there before the thread was: who writes does not wait for those. */
  #owed = 0
  #known: { readonly length: number; readonly sha256: string } | undefined = {
    length: 0,
    sha256: createHash('sha256').digest('hex'),
  }
  #asked: { readonly length: number; readonly answer: PromiseWithResolvers<string> } | undefined
  /** Of pieces that the thread has, the oldest first. */
  #handed: (() => void)[] = []
  /** What is written up to there need not be told. */
  #handedTo = 0
  #room: PromiseWithResolvers<void> | undefined
  #left: PromiseWithResolvers<void> | undefined
  #forgotten = false

  /** @param nextThread whoever has the least to do; undefined where there is none */
  constructor(id: number, pieces: PieceMemory, nextThread: () => HashThread | undefined) {
    this.pieces = pieces
    this.#id = id
    this.#nextThread = nextThread
  }

  get busy(): boolean {
    return this.#file !== undefined
  }

  /**
   * @param file stays open until `detach` has resolved
   * @param upto bytes that are written and will not change; what was hashed behind them counts no more
   */
  attach(file: ReadableFile, upto: number): void {
    this.#file = file
    this.#upto = upto
    this.#handedTo = upto
    this.#asked = undefined
    // The thread goes back too, and tells how far; until then nobody takes it to be near.
    if (this.#at > upto) this.#at = 0
    if (this.#known && this.#known.length > upto) this.#known = undefined
    this.#begin()
  }

  /**
   * Hashes bytes that are being written, without reading them from the file.
   * @param bytes of a piece of shared memory. @returns resolves when nobody reads them any more; undefined where nobody does
   */
  hand(bytes: Uint8Array, from: number): Promise<void> | undefined {
    if (!this.#thread) return undefined
    this.#thread.say({ say: 'piece', id: this.#id, from, bytes, upto: this.#upto })
    this.#handedTo = from + bytes.length
    return new Promise((resolve) => this.#handed.push(resolve))
  }

  /** The first `upto` bytes are written and will not change. */
  grow(upto: number): void {
    this.#upto = upto
    if (upto > this.#handedTo) this.#thread?.say({ say: 'grow', id: this.#id, upto })
  }

  /** @returns a promise to wait for while the hash is too far behind the writer */
  room(): Promise<void> | undefined {
    if (!this.#thread || this.#behind <= mostBehind) return undefined
    this.#room ??= Promise.withResolvers()
    return this.#room.promise
  }

  get #behind(): number {
    return this.#upto - this.#at - this.#owed
  }

  /** @returns the hash of the first `length` bytes, where it is known without reading */
  known(length: number): string | undefined {
    return this.#known?.length === length ? this.#known.sha256 : undefined
  }

  /** Makes the hash of the first `length` bytes known, where that is quick. Never rejects. */
  async know(length: number): Promise<void> {
    if (this.#thread ? this.#upto - this.#at > mostBehind : length > fewBytes) return
    await this.digest(length).catch(() => undefined)
  }

  /** @returns SHA-256 of the first `length` bytes of the attached file, lower-case hex. @throws where they cannot be read */
  async digest(length: number): Promise<string> {
    this.#asked = { length, answer: Promise.withResolvers() }
    this.#ask()
    const sha256 = await this.#asked.answer.promise
    this.#known = { length, sha256 }
    return sha256
  }

  /** Where it can go back to without reading everything again. */
  keep(): void {
    this.#thread?.say({ say: 'keep', id: this.#id })
  }

  /** Resolves when nobody reads the file any more: only then may it be closed. Never rejects. */
  async detach(): Promise<void> {
    if (this.#file === undefined) return
    if (this.#thread) {
      this.#left ??= Promise.withResolvers()
      this.#thread.say({ say: 'leave', id: this.#id })
      await this.#left.promise
    }
    this.#file = undefined
    this.#left = undefined
    this.#giveRoom()
    this.#asked?.answer.reject(new Error('the file is followed no more'))
    if (this.#forgotten) this.forget()
  }

  /** Of a file that is over. */
  forget(): void {
    this.#forgotten = true
    this.#known = undefined
    if (this.#file !== undefined) return
    this.#thread?.remove(this.#id)
    this.#thread = undefined
  }

  hear(message: FromWorker): void {
    if (message.say === 'left') this.#left?.resolve()
    else if (message.say === 'read') this.#read(message.at)
    else if (message.say === 'digest') this.#asked?.answer.resolve(message.sha256)
    else if (message.say === 'at') this.#at = message.at
    else this.#unreadable(message.code, message.message)
    if (this.#behind <= mostBehind / 2) this.#giveRoom()
  }

  abandoned(): void {
    this.#thread = undefined
    this.#handedTo = 0
    for (const resolve of this.#handed.splice(0)) resolve()
    if (this.#left) this.#left.resolve()
    else if (this.#file) this.#begin()
  }

  /** Where the thread is a new one, it reads from the first byte. */
  #begin(): void {
    if (!this.#file) return
    if (!this.#thread && this.#threads < mostThreads) {
      this.#threads += 1
      this.#at = 0
      this.#owed = this.#upto
      this.#thread = this.#nextThread()
      this.#thread?.add(this.#id, this)
    }
    if (!this.#thread) this.#giveRoom()
    this.#thread?.say({ say: 'attach', id: this.#id, fd: this.#file.fd, upto: this.#upto })
    this.#ask()
  }

  #ask(): void {
    if (!this.#asked || !this.#file) return
    const { length, answer } = this.#asked
    if (this.#thread) this.#thread.say({ say: 'digest', id: this.#id, length })
    else hashHere(this.#file, length).then(answer.resolve, answer.reject)
  }

  #read(at: number): void {
    this.#handed.shift()?.()
    this.#at = at
  }

  /** Told to whoever asks for the hash; until then nobody waits for what does not come. */
  #unreadable(code: string | undefined, message: string): void {
    const error = Object.assign(new Error(message), code !== undefined && { code })
    this.#at = Number.POSITIVE_INFINITY
    this.#asked?.answer.reject(error)
  }

  #giveRoom(): void {
    this.#room?.resolve()
    this.#room = undefined
  }
}
