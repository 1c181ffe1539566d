/** What the threads of a cold read say to each other: how the file is cut, what a thread gets, what it gives back. */
import { read } from 'node:fs'
import { promisify } from 'node:util'
import type { Accepted } from '../core/accepted.ts'
import type { TimeLimit } from '../core/time.ts'

/** Pieces are small against the file, so that a thread that is slower takes fewer of them. */
export interface ColdWork {
  /** Of the thread that started the others: threads of a process share their open files. */
  readonly fd: number
  /** Where the piece that is first begins, and where the last one ends; both where lines end. */
  readonly from: number
  readonly to: number
  readonly piece: number
  readonly limit: TimeLimit
  /** Two counters: pieces that were taken, pieces that are done. */
  readonly counters: Int32Array<SharedArrayBuffer>
}

export const taken = 0
export const finished = 1

export interface ColdPart {
  readonly accepted: ReadonlyMap<string, Accepted>
  readonly skipped: number
}

const look = 64 << 10
const newline = 0x0a
const readInto = promisify(read)

/** @returns where the first line starts at or behind `near`; `to` where none starts before it. `from` and `to` are borders of lines */
export async function lineStart(fd: number, near: number, { from, to }: Pick<ColdWork, 'from' | 'to'>): Promise<number> {
  if (near <= from) return from
  const bytes = Buffer.allocUnsafe(look)
  for (let at = near - 1; at < to; at += look) {
    const { bytesRead } = await readInto(fd, bytes, 0, look, at)
    const found = bytes.subarray(0, bytesRead).indexOf(newline)
    if (found >= 0) return Math.min(at + found + 1, to)
    if (bytesRead === 0) break
  }
  return to
}

/** @returns where the last line before `to` ends; `from` where none does */
export async function linesEnd(fd: number, from: number, to: number): Promise<number> {
  const bytes = Buffer.allocUnsafe(look)
  for (let end = to; end > from; ) {
    const start = Math.max(from, end - look)
    const { bytesRead } = await readInto(fd, bytes, 0, end - start, start)
    const found = bytes.subarray(0, bytesRead).lastIndexOf(newline)
    if (found >= 0) return start + found + 1
    end = start
  }
  return from
}
