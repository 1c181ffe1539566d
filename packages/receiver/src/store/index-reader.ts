/** Reads `index.jsonl` from the start, line by line, whatever its size. */
import { createReadStream } from 'node:fs'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { IndexRow } from '@cis490/shared/receipt.ts'

export interface IndexLine {
  /** From 1. */
  readonly number: number
  readonly text: string
  /** Its bytes, without the newline: text of a damaged line is not what lies on disk. */
  readonly bytes: Buffer
  /** undefined: the line is damaged. */
  readonly row: IndexRow | undefined
}

/** Complete lines only. A missing file is an empty index. @param after bytes and lines that were read before */
export async function* readIndex(path: string, after = { bytes: 0, lines: 0 }): AsyncGenerator<IndexLine> {
  let rest: Buffer = Buffer.alloc(0)
  let number = after.lines
  try {
    for await (const chunk of createReadStream(path, { start: after.bytes, highWaterMark: 4 << 20 })) {
      const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
      let from = 0
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
        const line = bytes.subarray(from, end)
        const text = line.toString('utf8')
        from = end + 1
        number += 1
        yield { number, text, bytes: line, row: IndexRow.safeParse(parseObject(text)).data }
      }
      rest = bytes.subarray(from)
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}
