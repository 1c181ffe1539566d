/** The files that the receiver writes and the alert log, folded into the facts. Each is read from where the last run ended. */
import { join } from 'node:path'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { foldAlert } from '../core/alert-state.ts'
import { foldHeartbeat, foldRefused } from '../core/facts.ts'
import type { RowVerdict } from '../core/host-row.ts'
import { IndexFold } from '../core/index-fold.ts'
import { emptyFacts, type Facts } from '../core/judge.ts'
import { eachRow } from '../core/lines.ts'
import { foldPresence } from '../core/outage.ts'
import type { TimeLimit } from '../core/time.ts'
import { type ColdOptions, coldDefaults, foldCold } from './cold-fold.ts'
import { type Cursor, follow, type Sink } from './cursor.ts'
import { LineReader } from './line-reader.ts'

export type Cursors = Readonly<Record<string, Cursor>>

export interface Reading {
  /** Asked once a block: a row that is in a block was written before it was read. */
  readonly limit: () => TimeLimit
  /** The moment that is judged, for the alert log; epoch milliseconds. */
  readonly at: number
  readonly cold?: Partial<ColdOptions>
}

/** Where the lines of one file go. */
interface FactsSink extends Sink {
  /** Lines that were no rows. */
  skipped(): number
}

interface Source {
  readonly file: string
  readonly rotated: boolean
  readonly sink: (facts: Facts, reading: Reading) => FactsSink
}

type FoldRow = (facts: Facts, row: Record<string, unknown>, limit: TimeLimit, at: number) => RowVerdict

const sources: readonly Source[] = [
  { file: 'index.jsonl', rotated: false, sink: indexSink },
  {
    file: 'rejects.jsonl',
    rotated: true,
    sink: rowSink('refused', (facts, row, limit) => foldRefused(facts.refused, row, limit)),
  },
  {
    file: 'heartbeats.jsonl',
    rotated: true,
    sink: rowSink('heartbeats', (facts, row, limit) => foldHeartbeat(facts.heartbeats, row, limit)),
  },
  {
    file: 'events/receiver.jsonl',
    rotated: true,
    sink: rowSink('presence', (facts, row, limit) => foldPresence(facts.presence, row, limit)),
  },
  { file: 'alerts.jsonl', rotated: false, sink: rowSink('alerts', (facts, row, _limit, at) => foldAlert(facts.alerts, row, at)) },
]

/** The index alone grows without end: its rows are folded from bytes, and the first read of a big one on all cores. */
function indexSink(facts: Facts, { limit, cold }: Reading): FactsSink {
  let fold = new IndexFold(facts.accepted)
  let skipped = 0
  return {
    restart() {
      facts.accepted = new Map()
      fold = new IndexFold(facts.accepted)
    },
    async ahead(file, from) {
      const end = await foldCold(file, from, facts.accepted, limit(), { ...coldDefaults, ...cold })
      skipped += end.skipped
      return end.offset
    },
    take: (bytes, end) => fold.take(bytes, end, limit()),
    skipped: () => skipped + fold.skipped,
  }
}

/** @param part of the facts that comes from this file */
function rowSink(part: keyof Facts, fold: FoldRow): Source['sink'] {
  return (facts, { limit, at }) => {
    let skipped = 0
    return {
      restart: () => void Object.assign(facts, { [part]: emptyFacts()[part] }),
      take(bytes, end) {
        const now = limit()
        eachRow(bytes, end, (row) => {
          if (!row || fold(facts, row, now, at) === 'garbage') skipped += 1
        })
      },
      skipped: () => skipped,
    }
  }
}

/** A file of the state folder that is there and cannot be read. The message names it. */
export class UnreadableState extends Error {
  override readonly name = 'UnreadableState'
}

export interface NewFacts {
  readonly cursors: Cursors
  /** Lines that are no rows: torn, overwritten, or written by somebody else. */
  readonly skipped: number
}

/** Reads what is new since `cursors` into `facts`, in place. @throws UnreadableState */
export async function readFacts(stateDir: string, facts: Facts, cursors: Cursors, reading: Reading): Promise<NewFacts> {
  const next: Record<string, Cursor> = {}
  const lines = new LineReader()
  let skipped = 0
  for (const { file, rotated, sink: makeSink } of sources) {
    const path = join(stateDir, file)
    const sink = makeSink(facts, reading)
    const cursor = await follow(path, cursors[file], rotated, sink, lines).catch((error: unknown) => {
      throw unreadable(path, error)
    })
    if (cursor) next[file] = cursor
    skipped += sink.skipped()
  }
  return { cursors: next, skipped }
}

function unreadable(path: string, error: unknown): unknown {
  if (!isErrno(error, 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'EIO')) return error
  return new UnreadableState(`cannot read ${path}: ${messageOf(error).split(',')[0]}`, { cause: error })
}
