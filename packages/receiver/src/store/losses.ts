/** `losses.jsonl`: written before anything leaves its place, so that nothing is ever gone without a word. */
import { readFile } from 'node:fs/promises'
import { parseObject, splitLines } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import { LossRow, lossName } from '../core/loss.ts'
import type { StoreLayout } from './layout.ts'

export async function readLosses(layout: StoreLayout): Promise<LossRow[]> {
  const bytes = await readFile(layout.losses).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return Buffer.alloc(0)
    throw error
  })
  return splitLines(bytes).lines.flatMap((line) => LossRow.safeParse(parseObject(line)).data ?? [])
}

/** The caller holds the lock of the store. The file is made with the first loss. */
export class LossLog implements AsyncDisposable {
  readonly #path: string
  readonly #known: Set<string>
  #journal: Journal | undefined

  private constructor(path: string, known: readonly LossRow[]) {
    this.#path = path
    this.#known = new Set(known.map(lossName))
  }

  static async open(layout: StoreLayout): Promise<LossLog> {
    return new LossLog(layout.losses, await readLosses(layout))
  }

  /** Returns when the row is durable. A loss that is written down already is not written again. */
  async add(row: LossRow): Promise<void> {
    if (this.#known.has(lossName(row))) return
    this.#journal ??= await Journal.open(this.#path)
    await this.#journal.append(row)
    this.#known.add(lossName(row))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal?.[Symbol.asyncDispose]()
  }
}
