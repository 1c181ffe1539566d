/** Reads `index.jsonl` from the start, line by line, whatever its size. */
import { createReadStream } from 'node:fs'
import { parseObject, splitLines } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { IndexRow } from '@cis490/shared/receipt.ts'

export interface IndexLine {
  /** From 1. */
  readonly number: number
  readonly text: string
  /** undefined: the line is damaged. */
  readonly row: IndexRow | undefined
}

/** Complete lines only. A missing file is an empty index. */
export async function* readIndex(path: string): AsyncGenerator<IndexLine> {
  let rest: Buffer = Buffer.alloc(0)
  let number = 0
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 4 << 20 })) {
      const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
      const { lines, complete } = splitLines(bytes)
      rest = bytes.subarray(complete)
      for (const text of lines) {
        number += 1
        yield { number, text, row: IndexRow.safeParse(parseObject(text)).data }
      }
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}
