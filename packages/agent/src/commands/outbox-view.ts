/** The outbox as a person or a script sees it: entries, and the episodes that could not be packed as quarantined ones. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatDuration } from '@cis490/shared/duration.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { AgentConfig } from '../config.ts'
import type { Lane } from '../outbox/entry.ts'
import { readEntries } from '../outbox/read.ts'
import { readRefused, refusedCode } from '../outbox/refused.ts'

/** A row of `outbox list --json`; absent means that there is none. */
export interface OutboxRow {
  readonly id: string
  readonly lane: Lane
  readonly sha256?: string
  readonly bytes: number
  readonly commit?: string
  readonly attempts: number
  readonly last?: { readonly status: number; readonly code: string }
  readonly next_at?: string
  /** Bytes that the receiver has of it; only of an upload that has begun. */
  readonly upload_offset?: number
}

/** Reads without the lock. */
export async function readRows(config: AgentConfig): Promise<OutboxRow[]> {
  const entries = (await readEntries(config.paths.outbox)).map(
    ({ id, lane, sha256, bytes, commit, attempts, last, next_at, upload_offset }): OutboxRow => ({
      ...{ id, lane, sha256, bytes },
      ...(commit === undefined ? {} : { commit }),
      attempts,
      ...(last && { last: { status: last.status, code: last.code } }),
      ...(next_at === undefined ? {} : { next_at }),
      ...(upload_offset === undefined ? {} : { upload_offset }),
    }),
  )
  const refused = (await readRefused(config.paths.state)).map(
    ({ id, bytes, commit }): OutboxRow => ({
      ...{ id, lane: 'quarantine', bytes },
      ...(commit === undefined ? {} : { commit }),
      attempts: 0,
      last: { status: 0, code: refusedCode },
    }),
  )
  return [...entries, ...refused].sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Columns: id, lane, size, what the receiver has of an upload that has begun, age of the archive, attempts, what the last attempt brought, when the next one is due. */
export async function drawTable(config: AgentConfig, rows: readonly OutboxRow[], nowMs: number): Promise<string> {
  if (rows.length === 0) return 'the outbox is empty\n'
  const cells = [['EPISODE', 'LANE', 'SIZE', 'SENT', 'AGE', 'TRIES', 'LAST', 'NEXT']]
  for (const row of rows) {
    const packed = await stat(join(config.paths.outbox, `${row.id}${archiveSuffix}`)).catch(() => undefined)
    cells.push([
      row.id,
      row.lane,
      formatSize(row.bytes),
      row.upload_offset === undefined ? '-' : formatSize(row.upload_offset),
      packed ? formatDuration(nowMs - packed.mtimeMs) : '-',
      String(row.attempts),
      row.last ? `${row.last.status || ''} ${row.last.code}`.trim() : '-',
      row.next_at ?? '-',
    ])
  }
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0))) ?? []
  const lines = cells.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  const total = rows.reduce((sum, row) => sum + row.bytes, 0)
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n${rows.length} waiting, ${formatSize(total)}\n`
}
