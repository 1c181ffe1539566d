/** The end of a JSON lines file: where the complete lines end, and what is torn behind them. */
import type { FileHandle } from 'node:fs/promises'
import { parseObject } from '../jsonl.ts'

const block = 64 * 1024

export interface Tail {
  /** Bytes behind the last complete line: half a row, or NULs that a power cut left. */
  readonly torn: Buffer
  /** Offset at which the complete lines end. */
  readonly complete: number
  /** The last complete line, without its newline. */
  readonly last: string | undefined
  /** Its bytes: the text of a damaged line is not what lies on disk. */
  readonly lastBytes: Buffer | undefined
}

/** Reads backwards until a complete line that is JSON. A last line that ends in a newline but is no JSON is torn only if it holds NULs. */
export async function readTail(file: FileHandle): Promise<Tail> {
  const { size } = await file.stat()
  let from = size
  let bytes: Buffer = Buffer.alloc(0)
  for (;;) {
    const settled = settle(bytes, from)
    if (settled) return { torn: bytes.subarray(settled.complete - from), ...settled }
    const start = Math.max(0, from - block)
    const chunk = Buffer.alloc(from - start)
    await file.read(chunk, 0, chunk.length, start)
    bytes = Buffer.concat([chunk, bytes])
    from = start
  }
}

function settle(bytes: Buffer, from: number): Omit<Tail, 'torn'> | undefined {
  for (let end = bytes.lastIndexOf(0x0a); end >= 0; end = end === 0 ? -1 : bytes.lastIndexOf(0x0a, end - 1)) {
    const before = end === 0 ? -1 : bytes.lastIndexOf(0x0a, end - 1)
    if (before < 0 && from > 0) return undefined
    const line = bytes.subarray(before + 1, end)
    if (line.includes(0) && !parseObject(line.toString('utf8'))) continue
    return { complete: from + end + 1, last: line.toString('utf8'), lastBytes: line }
  }
  return from === 0 ? { complete: 0, last: undefined, lastBytes: undefined } : undefined
}
