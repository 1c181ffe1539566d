/** What each host's last report says, as far as staged updates care; of a host that is new here its file is read once. */
import { readFile, stat } from 'node:fs/promises'
import type { HostName } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { hostWord } from '../core/host-word.ts'
import type { HostWord } from '../core/wave-progress.ts'

export class HostWords implements AsyncDisposable {
  readonly #pathOf: (host: HostName) => string
  readonly #log: Logger
  /** null: none, or none that can be read. */
  readonly #words = new Map<string, HostWord | null>()
  /** One file at a time: after a restart all hosts are heard within a minute. */
  #turn: Promise<void> = Promise.resolve()

  /** @param pathOf the file of a host's last report */
  constructor(pathOf: (host: HostName) => string, log: Logger) {
    this.#pathOf = pathOf
    this.#log = log
  }

  get(host: string): HostWord | undefined {
    return this.#words.get(host) ?? undefined
  }

  /** @param at epoch milliseconds */
  take(host: HostName, report: Readonly<Record<string, unknown>>, at: number): void {
    this.#words.set(host, hostWord(report, at))
  }

  /** Asks for the word of a host that nothing is known of. @param then called when there is one */
  want(host: HostName, then: () => void): void {
    if (this.#words.has(host)) return
    this.#words.set(host, null)
    this.#turn = this.#turn.then(async () => {
      const word = await this.#read(host)
      // One that came meanwhile is newer.
      if (!word || this.#words.get(host) !== null) return
      this.#words.set(host, word)
      then()
    })
  }

  async #read(host: HostName): Promise<HostWord | undefined> {
    const path = this.#pathOf(host)
    try {
      const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)])
      return hostWord(parseObject(text), mtimeMs)
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENAMETOOLONG'))
        this.#log.warn({ path, cause: messageOf(error) }, 'a report cannot be read; updates wait for the next one')
      return undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn
  }
}
