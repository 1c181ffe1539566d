/** One resumable upload: its state on disk, its file, its hash, and whose turn it is. */
import { open } from 'node:fs/promises'
import { timestamp } from '@cis490/shared/ids.ts'
import { removeFile, replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno, isSystemError } from '@cis490/shared/node/errno.ts'
import type { EpisodeKey } from '../core/episode-key.ts'
import type { RunningHash } from './hashing/running-hash.ts'
import type { FinalAnswer, UploadState } from './upload-state.ts'

/** What was promised cannot be kept: the upload is thrown away, and nobody is told an offset again. */
export class UploadLost extends Error {
  override readonly name = 'UploadLost'
}

/** A newer request for the same upload has come: this one ends. */
export class Superseded extends Error {
  override readonly name = 'Superseded'
  constructor() {
    super('a newer request for this upload came')
  }
}

export interface UploadPaths {
  readonly part: string
  readonly state: string
  /** Where the receipt waits for its name while the upload is published. */
  readonly sidecar: string
}

export class Upload {
  readonly name: string
  readonly paths: UploadPaths
  readonly hash: RunningHash
  /** End of what the running append has taken; never lower than the offset. */
  taken: number
  #state: UploadState
  #gone = false
  #last: Promise<void> = Promise.resolve()
  #turns = 0
  readonly #appending = new Set<AbortController>()

  /** @param hash of its bytes, from the first on */
  constructor(name: string, paths: UploadPaths, state: UploadState, hash: RunningHash) {
    this.hash = hash
    this.name = name
    this.paths = paths
    this.#state = state
    this.taken = state.offset
  }

  get state(): UploadState {
    return this.#state
  }
  get key(): EpisodeKey {
    return { host: this.#state.host, id: this.#state.id }
  }
  /** What may be told: durable, and never lower than what was told before. */
  get offset(): number {
    return this.#state.offset
  }
  get finished(): FinalAnswer | undefined {
    return this.#state.finished
  }
  /** Epoch milliseconds. */
  get expiresAt(): number {
    return Date.parse(this.#state.expires_at)
  }
  /** Deleted, expired or lost. */
  get gone(): boolean {
    return this.#gone
  }
  get busy(): boolean {
    return this.#turns > 0
  }

  /**
   * Ends every older append and waits until they have settled what they took.
   * @param ending aborted when a newer request comes; only appends have one
   */
  async turn(ending?: AbortController): Promise<Disposable> {
    for (const older of this.#appending) older.abort(new Superseded())
    if (ending) this.#appending.add(ending)
    this.#turns += 1
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    await before
    return {
      [Symbol.dispose]: () => {
        if (ending) this.#appending.delete(ending)
        this.#turns -= 1
        resolve()
      },
    }
  }

  /** Writes the state for the first time. */
  async begin(): Promise<void> {
    const part = await open(this.paths.part, 'wx', 0o640)
    await part.close()
    // Makes both names durable: they are in one folder.
    await replaceFile(this.paths.state, encode(this.#state))
  }

  /**
   * The first `offset` bytes of the file are durable; from here on the offset may be told.
   * @throws where the disk is full the system's error, and the state is as it was; else UploadLost
   */
  async advance(offset: number, expiresAt: number): Promise<void> {
    await this.#replace({ ...this.#state, offset, expires_at: timestamp(Math.max(expiresAt, this.expiresAt)) })
    this.hash.keep()
  }

  /** Keeps the answer for whoever asks again; bytes and hash are not needed any more. */
  async finish(answer: FinalAnswer, expiresAt: number): Promise<void> {
    await this.#replace({ ...this.#state, expires_at: timestamp(Math.max(expiresAt, this.expiresAt)), finished: answer })
    this.hash.forget()
  }

  /** Of a finished upload. */
  async dropPart(): Promise<void> {
    await removeFile(this.paths.part)
  }

  /** SHA-256 of all bytes, lower-case hex. After a restart the file is read once more. @throws UploadLost where it cannot be read */
  async sha256(): Promise<string> {
    const { length } = this.#state
    const known = this.hash.known(length)
    if (known !== undefined) return known
    try {
      await using file = await open(this.paths.part, 'r')
      this.hash.attach(file, length)
      try {
        return await this.hash.digest(length)
      } finally {
        await this.hash.detach()
      }
    } catch (error) {
      return await this.loseUnlessNoRoom(error)
    }
  }

  /** What cannot be read or opened now will not be there later either, but for a full table of files. @throws the error or UploadLost */
  async loseUnlessNoRoom(error: unknown): Promise<never> {
    if (isNoRoom(error)) throw error
    return await this.lose(error)
  }

  /**
   * The state goes first: bytes without a state are nobody's, and the next start clears them away. A state that cannot be removed keeps its
   * bytes: what it says of them is true, and a state alone would be an upload that ended.
   */
  async discard(): Promise<void> {
    this.#gone = true
    this.hash.forget()
    try {
      await removeFile(this.paths.state)
      await removeFile(this.paths.part)
    } catch (error) {
      if (!isSystemError(error)) throw error
    }
  }

  /** @throws UploadLost, always: a sync that failed leaves nothing to believe */
  async lose(cause: unknown): Promise<never> {
    await this.discard()
    throw new UploadLost(`upload ${this.name} of ${this.#state.host}/${this.#state.id} is thrown away`, { cause })
  }

  async #replace(next: UploadState): Promise<void> {
    try {
      await replaceFile(this.paths.state, encode(next))
      this.#state = next
    } catch (error) {
      if (isNoRoom(error)) throw error
      await this.lose(error)
    }
  }
}

/** Refused for now, before anything was changed. */
export function isNoRoom(error: unknown): boolean {
  return isErrno(error, 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE')
}

function encode(state: UploadState): string {
  return `${JSON.stringify(state)}\n`
}
