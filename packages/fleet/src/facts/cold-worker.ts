/** A thread of a cold read: folds pieces of the index until none is left. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Accepted } from '../core/accepted.ts'
import { IndexFold } from '../core/index-fold.ts'
import { type ColdPart, type ColdWork, finished, lineStart, taken } from './cold-part.ts'
import { LineReader } from './line-reader.ts'

async function foldPieces(work: ColdWork): Promise<ColdPart> {
  const { fd, from, to, piece, limit, counters } = work
  const accepted = new Map<string, Accepted>()
  const fold = new IndexFold(accepted)
  const lines = new LineReader()
  for (;;) {
    const near = from + Atomics.add(counters, taken, 1) * piece
    if (near >= to) return { accepted, skipped: fold.skipped }
    const start = await lineStart(fd, near, work)
    const end = await lineStart(fd, near + piece, work)
    await lines.read(fd, start, end, (bytes, complete) => fold.take(bytes, complete, limit))
    Atomics.add(counters, finished, 1)
  }
}

parentPort?.postMessage(await foldPieces(workerData as ColdWork))
