/** Where the last evaluation ended: cursors and folded facts in one file, replaced as a whole. Losing it costs one full read, nothing else. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { z } from 'zod'
import { emptyFacts, type Facts } from '../core/judge.ts'
import type { Cursors } from './read.ts'

/** Raised whenever the meaning of a fact changes: an older file is then read as none. */
const version = 1

const CursorShape = z.object({ ino: z.number(), offset: z.number(), mark: z.string() })
const Accepted = z.object({ last: z.number(), unstamped: z.number().optional() })
const Refused = z.object({ status: z.number(), code: z.string(), last: z.number(), commit: z.string().optional() })
const AlertShape = z.object({
  id: z.string(),
  host: z.string(),
  symptom: z.enum(['silent', 'fatal-only', 'unstamped']),
  since: z.number(),
  fired_at: z.number(),
  open: z.boolean(),
})

/** Maps are written as lists of pairs: a host may have any name, `constructor` too. */
const CheckpointFile = z.object({
  version: z.literal(version),
  cursors: z.record(z.string(), CursorShape),
  accepted: z.array(z.tuple([z.string(), Accepted])),
  refused: z.array(z.tuple([z.string(), z.array(Refused)])),
  heartbeats: z.array(z.tuple([z.string(), z.object({ at: z.number(), waiting: z.number() })])),
  presence: z.object({
    last: z.object({ at: z.number(), down: z.boolean() }).optional(),
    down: z.array(z.tuple([z.number(), z.number()])),
  }),
  alerts: z.array(z.tuple([z.string(), AlertShape])),
})

export interface Checkpoint {
  readonly facts: Facts
  readonly cursors: Cursors
}

export function checkpointPath(stateDir: string): string {
  return join(stateDir, 'facts', 'evaluate.json')
}

/** A missing or unusable file gives the beginning of everything. */
export async function loadCheckpoint(stateDir: string): Promise<Checkpoint> {
  try {
    return decodeCheckpoint(await readFile(checkpointPath(stateDir), 'utf8'))
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return { facts: emptyFacts(), cursors: {} }
    throw error
  }
}

export async function saveCheckpoint(stateDir: string, checkpoint: Checkpoint): Promise<void> {
  const path = checkpointPath(stateDir)
  await makeDir(dirname(path))
  await replaceFile(path, encodeCheckpoint(checkpoint))
}

export function encodeCheckpoint({ facts, cursors }: Checkpoint): string {
  const { accepted, refused, heartbeats, presence, alerts } = facts
  return JSON.stringify({
    version,
    cursors,
    accepted: [...accepted],
    refused: [...refused],
    heartbeats: [...heartbeats],
    presence,
    alerts: [...alerts],
  })
}

export function decodeCheckpoint(text: string): Checkpoint {
  const parsed = CheckpointFile.safeParse(parse(text))
  if (!parsed.success) return { facts: emptyFacts(), cursors: {} }
  const { cursors, accepted, refused, heartbeats, presence, alerts } = parsed.data
  return {
    cursors,
    facts: {
      accepted: new Map(
        accepted.map(([host, { last, unstamped }]) => [host, unstamped === undefined ? { last } : { last, unstamped }]),
      ),
      refused: new Map(
        refused.map(([host, list]) => [
          host,
          list.map(({ commit, ...one }) => (commit === undefined ? one : { ...one, commit })),
        ]),
      ),
      heartbeats: new Map(heartbeats),
      presence: { last: presence.last, down: presence.down },
      alerts: new Map(alerts),
    },
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
