/**
 * Calls on small files are made synchronously: a trip through the thread pool costs ten times the call.
 * So that everything else in the process goes on, the loop gets its turn after a few milliseconds of them.
 */
import { setImmediate } from 'node:timers/promises'

const budgetMs = 5

export class Turn {
  #begun = performance.now()

  /** @returns what to wait for before the next call, if there is a need */
  pass(): Promise<void> | undefined {
    return performance.now() - this.#begun < budgetMs ? undefined : this.#next()
  }

  async #next(): Promise<void> {
    await setImmediate()
    this.#begun = performance.now()
  }
}
