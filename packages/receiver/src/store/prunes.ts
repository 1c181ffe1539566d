/** `prunes.jsonl`: what was taken out of the store on purpose. Written by one process at a time, beside a receiver that works. */
import { open } from 'node:fs/promises'
import { parseObject, splitLines } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { PruneRow } from '../core/prune.ts'
import type { EpisodeKey, StoreLayout } from './layout.ts'

/** The rows as they are now: each look reads only what was added. */
export class Prunes {
  readonly #path: string
  readonly #rows = new Map<string, PruneRow>()
  #offset = 0
  #ino: bigint | undefined
  #reading: Promise<void> = Promise.resolve()

  constructor(layout: StoreLayout) {
    this.#path = layout.prunes
  }

  /** @returns the act that took the episode out. An archive that is missing has its row on disk already. */
  async find({ host, id }: EpisodeKey): Promise<PruneRow | undefined> {
    await this.refresh()
    return this.#rows.get(`${host}/${id}`)
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
    const turn = this.#reading.then(() => this.#read())
    this.#reading = turn.catch(() => undefined)
    return turn
  }

  async #read(): Promise<void> {
    await using file = await open(this.#path, 'r').catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    })
    if (!file) return this.#forget(undefined)
    const { size, ino } = await file.stat({ bigint: true })
    if (ino !== this.#ino || Number(size) < this.#offset) this.#forget(ino)
    if (Number(size) === this.#offset) return
    const bytes = Buffer.alloc(Number(size) - this.#offset)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#offset)
    // A last line without newline is still being written, or torn: nothing has gone for it.
    const { lines, complete } = splitLines(bytes.subarray(0, bytesRead))
    for (const line of lines) this.#take(line)
    this.#offset += complete
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
