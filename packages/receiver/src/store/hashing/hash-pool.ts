/** A few threads that hash what is being written, so that the thread that receives does not have to. */
import { HashThread } from './hash-thread.ts'
import { PieceMemory } from './piece-memory.ts'
import { RunningHash } from './running-hash.ts'

/** Files below it are read once, at their end, on the main thread: a worker would cost more than it saves. */
const smallBytes = 1 << 20

/** Of all bodies on their way: what disk and threads work on right now. */
export const mostPieces = 16

export class HashPool implements AsyncDisposable {
  /** For the bodies on their way. */
  readonly #pieces = new PieceMemory(mostPieces)
  readonly #size: number
  readonly #onCrash: (error: unknown) => void
  readonly #threads = new Set<HashThread>()
  #hashes = 0
  #closed = false

  /**
   * Threads start when they are needed and do not keep the process alive.
   * @param size most threads; with 0 every file is read on the main thread
   * @param onCrash told of each thread that ended on its own; its files are hashed all the same
   */
  constructor(size: number, onCrash: (error: unknown) => void) {
    this.#size = size
    this.#onCrash = onCrash
  }

  /** @param length bytes that the file will have, as far as known */
  running(length = Number.POSITIVE_INFINITY): RunningHash {
    this.#hashes += 1
    return new RunningHash(this.#hashes, this.#pieces, () => (length < smallBytes ? undefined : this.#leastBusy()))
  }

  #leastBusy(): HashThread | undefined {
    if (this.#closed || this.#size === 0) return undefined
    const [first] = [...this.#threads].sort((a, b) => a.load - b.load)
    if (first && (first.load === 0 || this.#threads.size >= this.#size)) return first
    return this.#start() ?? first
  }

  #start(): HashThread | undefined {
    try {
      const thread = new HashThread((ended, error) => {
        this.#threads.delete(ended)
        if (!this.#closed) this.#onCrash(error)
      })
      this.#threads.add(thread)
      return thread
    } catch (error) {
      this.#onCrash(error)
      return undefined
    }
  }

  /** Files that are still followed are hashed on the main thread. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#threads].map((thread) => thread.stop()))
  }
}
