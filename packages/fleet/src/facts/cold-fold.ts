/**
 * The first read of a big index, on all cores: the file is cut at newlines, each thread folds the pieces that it takes, and the parts are merged.
 * The whole does not depend on the cuts, because merging the facts of stored episodes asks neither for order nor for how often (`mergeAccepted`).
 */
import type { FileHandle } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { type Accepted, mergeAccepted } from '../core/accepted.ts'
import type { TimeLimit } from '../core/time.ts'
import { type ColdPart, type ColdWork, finished, foldPieces, linesEnd, taken } from './cold-part.ts'
import { takeThread } from './cold-thread.ts'

export interface ColdOptions {
  /** Bytes; less than this is read faster by one thread than others can be started. */
  readonly least: number
  readonly piece: number
  /** With the one that asks, which folds too. */
  readonly threads: number
  /** Told now and then how many of `total` bytes are folded, and at the end that all are. */
  readonly onProgress?: (done: number, total: number) => void
}

export const coldDefaults: ColdOptions = { least: 64 << 20, piece: 8 << 20, threads: availableParallelism() }

const tellEveryMs = 100

export interface ColdEnd {
  /** Where the lines that were folded end. */
  readonly offset: number
  readonly skipped: number
}

/** Folds the complete lines from `from` to the end that the file has now into `accepted`. Less than `least` bytes are left alone. */
export async function foldCold(
  file: FileHandle,
  from: number,
  accepted: Map<string, Accepted>,
  limit: TimeLimit,
  options: ColdOptions,
): Promise<ColdEnd> {
  const { least, piece, threads, onProgress } = options
  const { size } = await file.stat()
  if (size - from < least) return { offset: from, skipped: 0 }
  const to = linesEnd(file.fd, from, size)
  const total = to - from
  const counters = new Int32Array(new SharedArrayBuffer(8))
  const work: ColdWork = { fd: file.fd, from, to, piece, limit, counters }
  const timer = setInterval(() => onProgress?.(Math.min(Atomics.load(counters, finished) * piece, total), total), tellEveryMs)
  try {
    const parts = await foldParts(work, threads)
    for (const part of parts) mergeAccepted(accepted, part.accepted)
    return { offset: to, skipped: parts.reduce((sum, part) => sum + part.skipped, 0) }
  } finally {
    clearInterval(timer)
    onProgress?.(total, total)
  }
}

/** Returns, or throws the first fault, only when no thread uses the file any more: the caller closes it. */
export async function foldParts(work: ColdWork, threads: number): Promise<ColdPart[]> {
  const pieces = Math.ceil((work.to - work.from) / work.piece)
  const others = Array.from({ length: Math.min(threads, pieces) - 1 }, () => runThread(work))
  // This thread folds too; between two pieces its loop turns, for the progress bar.
  const parts = [...others, foldPieces(work, setImmediate)].map((part) =>
    part.catch((error: unknown) => {
      Atomics.store(work.counters, taken, pieces)
      throw error
    }),
  )
  const ended = await Promise.allSettled(parts)
  const failed = ended.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
  return ended.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
}

/** @throws what the thread threw */
async function runThread(work: ColdWork): Promise<ColdPart> {
  const worker = takeThread()
  try {
    return await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
      worker.once('exit', (code) => reject(new Error(`a thread that read the index ended with ${code}`)))
      worker.postMessage(work)
    })
  } finally {
    await worker.terminate()
  }
}
