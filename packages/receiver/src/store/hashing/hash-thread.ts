/** One worker thread and the files that it follows. */
import { Worker } from 'node:worker_threads'
import type { FromWorker, ToWorker } from './messages.ts'

/** Somebody whose file is followed. */
export interface Listener {
  /** Whether its file is attached right now. */
  readonly busy: boolean
  hear(message: FromWorker): void
  /** The thread has ended; it reads nothing any more. */
  abandoned(): void
}

/** Its one big buffer is no part of the heap. */
const resourceLimits = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 }

export class HashThread {
  readonly #worker: Worker
  readonly #listeners = new Map<number, Listener>()

  /** @param onEnd told when it has ended, with what ended it */
  constructor(onEnd: (thread: HashThread, error: unknown) => void) {
    let failure: unknown
    this.#worker = new Worker(new URL('./hash-worker.ts', import.meta.url), { resourceLimits, name: 'hash' })
    this.#worker.unref()
    this.#worker.on('message', (message: FromWorker) => this.#listeners.get(message.id)?.hear(message))
    this.#worker.on('error', (error) => {
      failure = error
    })
    this.#worker.on('exit', () => {
      onEnd(this, failure)
      const left = [...this.#listeners.values()]
      this.#listeners.clear()
      for (const one of left) one.abandoned()
    })
  }

  /** Files that it reads right now. */
  get load(): number {
    return this.#listeners.values().reduce((sum, { busy }) => sum + (busy ? 1 : 0), 0)
  }

  add(id: number, listener: Listener): void {
    this.#listeners.set(id, listener)
  }

  remove(id: number): void {
    this.say({ say: 'forget', id })
    this.#listeners.delete(id)
  }

  say(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }
}
