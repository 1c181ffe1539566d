/** `rejects.jsonl`: one refused upload a line; past `maxBytes` the file becomes `rejects.jsonl.1` and a new one begins. */
import { moveOver } from '@cis490/shared/node/durable.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import type { RejectRow } from '@cis490/shared/rejection.ts'

export class RejectLog implements AsyncDisposable {
  readonly #path: string
  readonly #maxBytes: number
  #journal: Journal
  #turn: Promise<void> = Promise.resolve()

  private constructor(path: string, maxBytes: number, journal: Journal) {
    this.#path = path
    this.#maxBytes = maxBytes
    this.#journal = journal
  }

  static async open(path: string, maxBytes = 64 << 20): Promise<RejectLog> {
    return new RejectLog(path, maxBytes, await Journal.open(path))
  }

  async append(row: RejectRow): Promise<void> {
    await this.#turn
    if (this.#journal.size > this.#maxBytes || this.#journal.broken) await this.#rotate()
    await this.#journal.append(row)
  }

  #rotate(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      const full = this.#journal.size > this.#maxBytes
      if (!full && !this.#journal.broken) return
      await this.#journal[Symbol.asyncDispose]()
      // A file that cannot be moved away goes on growing: too long is better than lost.
      if (full) await moveOver(this.#path, `${this.#path}.1`).catch(() => undefined)
      this.#journal = await Journal.open(this.#path)
    })
    const turn = this.#turn
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn
    await this.#journal[Symbol.asyncDispose]()
  }
}
