/** All that the files of the agent say about one id. Needs no lock: it reads what is complete. */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { EpisodeId } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { z } from 'zod'
import { HistoryRow } from '../core/history.ts'
import type { HostTrace } from '../core/why-events.ts'
import { historyName } from './history.ts'
import { readEntry } from './read.ts'
import { Packed, Tombstone } from './records.ts'
import { readRefused } from './refused.ts'

const ReceiptRow = z.looseObject({ id: z.string(), received_at: z.string(), gate_position: z.number().optional() })
const AnyRow = z.looseObject({ id: z.string() })

export interface OutboxTrace extends Omit<HostTrace, 'folder'> {
  /** Changes before this time may be gone; undefined: all are there. */
  readonly historySince: string | undefined
}

export async function traceEpisode(dirs: { outbox: string; state: string }, id: EpisodeId): Promise<OutboxTrace> {
  const path = (name: string) => join(dirs.state, name)
  const history = [
    ...(await rowsOf(path(`${historyName}.1`), HistoryRow, id)),
    ...(await rowsOf(path(historyName), HistoryRow, id)),
  ]
  return {
    refused: (await readRefused(dirs.state)).find((one) => one.id === id),
    packed: await rowsOf(path('packed.jsonl'), Packed, id),
    history,
    entry: await readEntry(dirs.outbox, id),
    receipts: await rowsOf(path('receipts.jsonl'), ReceiptRow, id),
    tombstones: await rowsOf(path('tombstones.jsonl'), Tombstone, id),
    historySince: await firstTime(path(`${historyName}.1`)),
  }
}

/** Every id that a journal of the agent names. */
export async function knownIds(stateDir: string): Promise<Set<string>> {
  const ids = new Set<string>()
  for (const name of ['packed.jsonl', 'receipts.jsonl', 'tombstones.jsonl'])
    for (const { id } of await rowsOf(join(stateDir, name), AnyRow)) ids.add(id)
  return ids
}

async function rowsOf<T extends z.ZodType<{ id: string }>>(path: string, schema: T, id?: EpisodeId): Promise<z.output<T>[]> {
  const found: z.output<T>[] = []
  for await (const line of linesOf(path)) {
    if (id !== undefined && !line.includes(`"${id}"`)) continue
    const row = schema.safeParse(parseObject(line))
    if (row.success && (id === undefined || row.data.id === id)) found.push(row.data)
  }
  return found
}

async function firstTime(path: string): Promise<string | undefined> {
  for await (const line of linesOf(path)) return String(parseObject(line)?.['at'] ?? 'an unknown time')
  return undefined
}

async function* linesOf(path: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
  }
}
