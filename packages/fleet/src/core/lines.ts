/** From the bytes of a line to a row. */
import { parseObject } from '@cis490/shared/jsonl.ts'

/** Bytes. No row is this long: what is longer is not parsed, and only its head is held in memory. */
export const longestLine = 1 << 20

// A mark of byte order is kept: the row that starts with one is damaged, wherever it stands in the file.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** @param to where the newline stands. @returns undefined: no JSON object, or longer than a row can be */
export function rowIn(bytes: Uint8Array, from: number, to: number): Record<string, unknown> | undefined {
  return to - from > longestLine ? undefined : parseObject(utf8.decode(bytes.subarray(from, to)))
}

/** Gives the complete lines before `end`, which is behind a newline; lines without a byte are left out. */
export function eachLine(bytes: Uint8Array, end: number, take: (from: number, to: number) => void): void {
  for (let from = 0; from < end; ) {
    const to = bytes.indexOf(newline, from)
    if (to > from) take(from, to)
    from = to + 1
  }
}

/**
 * The same as rows, undefined where a line is none. Few lines are decoded in one go: that is native code, and a process that has just begun
 * runs its own code slowly.
 */
export function eachRow(bytes: Uint8Array, end: number, take: (row: Record<string, unknown> | undefined) => void): void {
  if (end > longestLine) eachLine(bytes, end, (from, to) => take(rowIn(bytes, from, to)))
  else for (const line of utf8.decode(bytes.subarray(0, end)).split('\n')) if (line !== '') take(parseObject(line))
}

const newline = 0x0a
