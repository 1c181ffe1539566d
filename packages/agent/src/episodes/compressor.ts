/** Compresses blocks, no more of them at once than there are cores: one more would finish none sooner and take 3.5 MiB. */
import { availableParallelism } from 'node:os'
import { compress } from '@mongodb-js/zstd'

/** The thread pool that compresses has as many. */
const poolThreads = 4

export class Compressor {
  readonly #atOnce: number
  #running = 0
  /** First come, first served: blocks finish about in the order in which they are written. */
  readonly #waiting: (() => void)[] = []

  constructor(atOnce = compressorsFor(availableParallelism())) {
    this.#atOnce = atOnce
  }

  /** @returns the block as a frame of its own. The block is not to be touched until then. */
  async compress(block: Buffer): Promise<Buffer> {
    if (this.#running < this.#atOnce) this.#running++
    else await new Promise<void>((go) => this.#waiting.push(go))
    try {
      return await compress(block)
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}

/** Two on one core: the other goes on while this thread hashes and has not yet seen that one is done. */
export function compressorsFor(cores: number): number {
  return Math.min(Math.max(cores, 2), poolThreads)
}
