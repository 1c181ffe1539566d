/** What each thread of a cold read does: it takes pieces of the index, as long as there are any, and folds them. */
import { readSync } from 'node:fs'
import type { Accepted } from '../core/accepted.ts'
import { IndexFold } from '../core/index-fold.ts'
import type { TimeLimit } from '../core/time.ts'
import { LineReader } from './line-reader.ts'

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

/** Bytes of one read: they are still in the nearest cache when they are looked at. */
const block = 256 << 10
const look = 4 << 10
const newline = 0x0a

/** @param pause waited for after each piece: a thread with a loop of its own lets it turn */
export async function foldPieces(work: ColdWork, pause?: () => Promise<unknown>): Promise<ColdPart> {
  const { fd, from, to, piece, limit, counters } = work
  const accepted = new Map<string, Accepted>()
  // However small the block is, many follow.
  const fold = new IndexFold(accepted, 0)
  const lines = new LineReader(block)
  for (;;) {
    const near = from + Atomics.add(counters, taken, 1) * piece
    if (near >= to) return { accepted, skipped: fold.skipped }
    const start = lineStart(fd, near, work)
    const end = lineStart(fd, near + piece, work)
    lines.readNow(fd, start, end, (bytes, complete) => fold.take(bytes, complete, limit))
    Atomics.add(counters, finished, 1)
    await pause?.()
  }
}

/** @returns where the first line starts at or behind `near`; `to` where none starts before it. `from` and `to` are borders of lines */
export function lineStart(fd: number, near: number, { from, to }: Pick<ColdWork, 'from' | 'to'>): number {
  if (near <= from) return from
  const bytes = Buffer.allocUnsafe(look)
  for (let at = near - 1; at < to; at += look) {
    const bytesRead = readSync(fd, bytes, 0, look, at)
    const found = bytes.subarray(0, bytesRead).indexOf(newline)
    if (found >= 0) return Math.min(at + found + 1, to)
    if (bytesRead === 0) break
  }
  return to
}

/** @returns where the last line before `to` ends; `from` where none does */
export function linesEnd(fd: number, from: number, to: number): number {
  const bytes = Buffer.allocUnsafe(look)
  for (let end = to; end > from; ) {
    const start = Math.max(from, end - look)
    const bytesRead = readSync(fd, bytes, 0, end - start, start)
    const found = bytes.subarray(0, bytesRead).lastIndexOf(newline)
    if (found >= 0) return start + found + 1
    end = start
  }
  return from
}
