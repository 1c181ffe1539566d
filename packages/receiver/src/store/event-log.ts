/** `events/receiver.jsonl`: up, down, and a line a minute, so that a silence can be told from our own absence. */
import { join } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import type { StoreLayout } from './layout.ts'

export class EventLog implements AsyncDisposable {
  readonly #journal: Journal
  readonly #timer: NodeJS.Timeout

  private constructor(journal: Journal, everyMs: number) {
    this.#journal = journal
    this.#timer = setInterval(() => void this.#write('alive').catch(() => undefined), everyMs).unref()
  }

  static async open(layout: StoreLayout, everyMs = 60_000): Promise<EventLog> {
    await makeDir(layout.events)
    const log = new EventLog(await Journal.open(join(layout.events, 'receiver.jsonl')), everyMs)
    await log.#write('up')
    return log
  }

  async #write(event: 'up' | 'alive' | 'down'): Promise<void> {
    await this.#journal.append({ at: timestamp(Date.now()), event })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.#write('down').catch(() => undefined)
    await this.#journal[Symbol.asyncDispose]()
  }
}
