/** The files that the receiver writes and the alert log, folded into the facts. Each is read from where the last run ended. */
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { foldAlert } from '../core/alert-state.ts'
import { foldAccepted, foldHeartbeat, foldRefused, type RowVerdict } from '../core/facts.ts'
import { emptyFacts, type Facts } from '../core/judge.ts'
import { foldPresence } from '../core/outage.ts'
import type { TimeLimit } from '../core/time.ts'
import { type Cursor, follow } from './cursor.ts'

interface Source {
  readonly file: string
  readonly rotated: boolean
  /** The part of the facts that comes from this file. */
  readonly part: keyof Facts
  readonly fold: (facts: Facts, row: Record<string, unknown>, limit: TimeLimit, at: number) => RowVerdict
}

const sources: readonly Source[] = [
  {
    file: 'index.jsonl',
    rotated: false,
    part: 'accepted',
    fold: (facts, row, limit) => foldAccepted(facts.accepted, row, limit),
  },
  { file: 'rejects.jsonl', rotated: true, part: 'refused', fold: (facts, row, limit) => foldRefused(facts.refused, row, limit) },
  {
    file: 'heartbeats.jsonl',
    rotated: true,
    part: 'heartbeats',
    fold: (facts, row, limit) => foldHeartbeat(facts.heartbeats, row, limit),
  },
  {
    file: 'events/receiver.jsonl',
    rotated: true,
    part: 'presence',
    fold: (facts, row, limit) => foldPresence(facts.presence, row, limit),
  },
  { file: 'alerts.jsonl', rotated: false, part: 'alerts', fold: (facts, row, _limit, at) => foldAlert(facts.alerts, row, at) },
]

export type Cursors = Readonly<Record<string, Cursor>>

/** A file of the state folder that is there and cannot be read. The message names it. */
export class UnreadableState extends Error {
  override readonly name = 'UnreadableState'
}

export interface NewFacts {
  readonly cursors: Cursors
  /** Lines that are no rows: torn, overwritten, or written by somebody else. */
  readonly skipped: number
}

/**
 * Reads what is new since `cursors` into `facts`, in place.
 * @param at the moment that is judged, for the alert log
 * @throws UnreadableState
 */
export async function readFacts(
  stateDir: string,
  facts: Facts,
  cursors: Cursors,
  limit: TimeLimit,
  at: number,
): Promise<NewFacts> {
  const next: Record<string, Cursor> = {}
  let skipped = 0
  for (const { file, rotated, part, fold } of sources) {
    const path = join(stateDir, file)
    const sink = {
      restart: () => void Object.assign(facts, { [part]: emptyFacts()[part] }),
      line: (text: string) => {
        const row = parseObject(text)
        if (!row || fold(facts, row, limit, at) === 'garbage') skipped += 1
      },
    }
    const cursor = await follow(path, cursors[file], rotated, sink).catch((error: unknown) => {
      throw unreadable(path, error)
    })
    if (cursor) next[file] = cursor
  }
  return { cursors: next, skipped }
}

function unreadable(path: string, error: unknown): unknown {
  if (!isErrno(error, 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'EIO')) return error
  return new UnreadableState(`cannot read ${path}: ${messageOf(error).split(',')[0]}`, { cause: error })
}
