/** A journal with its rows in memory. After a failed write it goes on with a fresh handle: the row that failed was promised to nobody. */
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { readRecords } from './records.ts'
import { type GiveRoom, withRoom } from './with-room.ts'

export class Book<T extends { id: EpisodeId }> implements AsyncDisposable {
  readonly rows: Map<EpisodeId, T>
  #journal: Journal
  #mending: Promise<void> | undefined

  private constructor(journal: Journal, rows: Map<EpisodeId, T>) {
    this.#journal = journal
    this.rows = rows
  }

  static async open<T extends { id: EpisodeId }>(
    path: string,
    schema: Parameters<typeof readRecords<T>>[1],
    log: Logger,
  ): Promise<Book<T>> {
    const onTorn = (bytes: Buffer) => log.warn({ path, bytes: bytes.length }, 'cut a torn row off a journal')
    const journal = await Journal.open(path, onTorn)
    try {
      return new Book(journal, await readRecords(path, schema))
    } catch (error) {
      await journal[Symbol.asyncDispose]()
      throw error
    }
  }

  /**
   * Resolves when the row would survive a power cut. @param line what is written, where it is more than the row
   * @param giveRoom asked for room on a full disk; without it a full disk is the caller's fault to handle
   */
  async append(row: T, { line = row, giveRoom }: { line?: object; giveRoom?: GiveRoom } = {}): Promise<void> {
    await withRoom(giveRoom, async () => (await this.#healthy()).append(line))
    this.rows.set(row.id, row)
  }

  /** One mends, all who wait go on with what it made. */
  async #healthy(): Promise<Journal> {
    if (!this.#journal.broken) return this.#journal
    this.#mending ??= this.#mend()
    await this.#mending
    return this.#journal
  }

  async #mend(): Promise<void> {
    try {
      this.#journal = await this.#journal.reopen()
    } finally {
      this.#mending = undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal[Symbol.asyncDispose]()
  }
}
