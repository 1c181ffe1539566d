/** `prunes.jsonl`: what was taken out of the store on purpose. Written by one process at a time, beside a receiver that works. */
import { statSync } from 'node:fs'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { PruneRow } from '../core/prune.ts'
import type { EpisodeKey, StoreLayout } from './layout.ts'
import { scanLines } from './line-scan.ts'

/** Some hundred rows between two turns of others. */
const chunkBytes = 64 << 10

/** The rows as they are now: each look reads only what was added. */
export class Prunes {
  readonly #path: string
  readonly #rows = new Map<string, PruneRow>()
  #offset = 0
  #ino: bigint | undefined
  #reading: Promise<void> = Promise.resolve()
  #readers = 0

  constructor(layout: StoreLayout) {
    this.#path = layout.prunes
  }

  /** @returns the act that took the episode out. An archive that is missing has its row on disk already. */
  async find({ host, id }: EpisodeKey): Promise<PruneRow | undefined> {
    if (!this.upToDate) await this.refresh()
    return this.#rows.get(`${host}/${id}`)
  }

  /** Whether `get` and `has` know all that is in the file. */
  get upToDate(): boolean {
    return this.#readers === 0 && !this.#news()
  }

  /** As of the last `refresh` or `find`. */
  has({ host, id }: EpisodeKey): boolean {
    return this.#rows.has(`${host}/${id}`)
  }

  /** As of the last `refresh` or `find`. */
  get({ host, id }: EpisodeKey): PruneRow | undefined {
    return this.#rows.get(`${host}/${id}`)
  }

  rows(): Iterable<PruneRow> {
    return this.#rows.values()
  }

  get size(): number {
    return this.#rows.size
  }

  /** One after the other: two that read the same new bytes would both move the offset. */
  refresh(): Promise<void> {
    this.#readers += 1
    const turn = this.#reading
      .then(() => this.#read())
      .finally(() => {
        this.#readers -= 1
      })
    this.#reading = turn.catch(() => undefined)
    return turn
  }

  /** In pieces: while a long file is read at first, others get their turn. */
  async #read(): Promise<void> {
    const file = this.#file()
    if (!file) return this.#forget(undefined)
    const { ino } = file
    const size = Number(file.size)
    if (ino !== this.#ino || size < this.#offset) this.#forget(ino)
    if (size === this.#offset) return
    // A last line without newline is still being written, or torn: nothing has gone for it.
    for await (const { lines, at } of scanLines(this.#path, { from: this.#offset, to: size, chunkBytes })) {
      for (const { bytes } of lines) this.#take(bytes.toString('utf8'))
      this.#offset = at
    }
  }

  /** Asked for every upload: a look that costs less than to hand it to another thread. */
  #file() {
    return statSync(this.#path, { bigint: true, throwIfNoEntry: false })
  }

  #news(): boolean {
    const file = this.#file()
    return file?.ino !== this.#ino || Number(file?.size ?? 0n) !== this.#offset
  }

  #forget(ino: bigint | undefined): void {
    this.#rows.clear()
    this.#offset = 0
    this.#ino = ino
  }

  #take(line: string): void {
    const row = PruneRow.safeParse(parseObject(line)).data
    if (row) this.#rows.set(`${row.host}/${row.id}`, row)
  }
}
