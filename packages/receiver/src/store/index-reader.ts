/** Reads `index.jsonl` from the start, line by line, whatever its size. */
import { createReadStream } from 'node:fs'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { IndexRow } from '@cis490/shared/receipt.ts'

const blockBytes = 1 << 20

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
  let number = after.lines
  for await (const { lines } of readLines(path, after.bytes))
    for (const bytes of lines) {
      const text = bytes.toString('utf8')
      yield { number: ++number, text, bytes, row: IndexRow.safeParse(parseObject(text)).data }
    }
}

/** The same, block by block and unread. @param start bytes that were read before */
export async function* readLines(path: string, start = 0): AsyncGenerator<{ readonly lines: readonly Buffer[] }> {
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of createReadStream(path, { start, highWaterMark: blockBytes })) {
      const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
      const lines: Buffer[] = []
      let from = 0
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, from)) {
        lines.push(bytes.subarray(from, end))
        from = end + 1
      }
      yield { lines }
      rest = bytes.subarray(from)
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}
