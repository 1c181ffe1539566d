/**
 * What became of entries, for a person who asks later:
 *
 *     agent/history.jsonl     a line a change of lane or of answer
 *     agent/history.jsonl.1   what was there before; older lines are gone
 */
import { moveOver } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import type { HistoryRow } from '../core/history.ts'

export const historyName = 'history.jsonl'

export class History implements AsyncDisposable {
  readonly #path: string
  readonly #log: Logger
  readonly #maxBytes: number
  #journal: Journal | undefined
  #turn: Promise<void> = Promise.resolve()
  #complained = false

  constructor(path: string, log: Logger, maxBytes = 8 << 20) {
    this.#path = path
    this.#log = log
    this.#maxBytes = maxBytes
  }

  /** Never throws: without a line of it the episode is none the worse. */
  add(row: HistoryRow): Promise<void> {
    this.#turn = this.#turn.then(() => this.#append(row)).catch((error: unknown) => this.#complain(error))
    return this.#turn
  }

  async #append(row: HistoryRow): Promise<void> {
    if (this.#journal === undefined || this.#journal.broken || this.#journal.size > this.#maxBytes) await this.#open()
    await this.#journal?.append(row)
    this.#complained = false
  }

  async #open(): Promise<void> {
    const old = this.#journal
    this.#journal = undefined
    await old?.[Symbol.asyncDispose]()
    // A file that cannot be moved away goes on growing: too long is better than lost.
    if (old !== undefined && old.size > this.#maxBytes) await moveOver(this.#path, `${this.#path}.1`).catch(() => undefined)
    this.#journal = await Journal.open(this.#path)
  }

  #complain(error: unknown): void {
    if (!this.#complained)
      this.#log.warn({ path: this.#path, cause: messageOf(error) }, 'cannot write the history of entries; shipping goes on')
    this.#complained = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn
    await this.#journal?.[Symbol.asyncDispose]()
  }
}
