/** `index.jsonl`: the receipt plus `seq` and `prev`, appended in one order. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import { firstPrev, type Receipt } from '@cis490/shared/receipt.ts'

export function lineHash(line: string | Uint8Array): string {
  return createHash('sha256').update(line).digest('hex')
}

export class IndexLog implements AsyncDisposable {
  readonly #journal: Journal
  #seq: number
  #prev: string

  private constructor(journal: Journal, seq: number, prev: string) {
    this.#journal = journal
    this.#seq = seq
    this.#prev = prev
  }

  /** A torn last line is cut off: it was never acknowledged, and its episode gets a new row by recovery. */
  static async open(path: string, onTorn?: (bytes: Buffer) => void): Promise<IndexLog> {
    const journal = await Journal.open(path, onTorn)
    const { last, lastBytes } = journal
    if (last === undefined || lastBytes === undefined) return new IndexLog(journal, 0, firstPrev)
    const seq = parseObject(last)?.['seq']
    return new IndexLog(journal, typeof seq === 'number' ? seq : await countLines(path), lineHash(lastBytes))
  }

  /** Resolves, with the row as written, when it is durable. */
  append(receipt: Receipt): Promise<string> {
    return this.#journal.appendLate(() => {
      const line = JSON.stringify({ ...receipt, seq: this.#seq + 1, prev: this.#prev })
      this.#seq += 1
      this.#prev = lineHash(line)
      return line
    })
  }

  /** True after a failed write: what is on disk is unknown until the next start. */
  get broken(): boolean {
    return this.#journal.broken
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal[Symbol.asyncDispose]()
  }
}

async function countLines(path: string): Promise<number> {
  let lines = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    for (let at = (chunk as Buffer).indexOf(0x0a); at >= 0; at = (chunk as Buffer).indexOf(0x0a, at + 1)) lines += 1
  }
  return lines
}
