/** The outbox and the episodes in numbers, read without the lock: for status, doctor and report. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import type { AgentConfig } from '../config.ts'
import type { OutboxSummary } from '../doctor/checks/outbox.ts'
import { listFolders, lookAt } from '../episodes/scan.ts'
import { type OutboxRow, readRows } from './outbox-view.ts'

/** @param nowMs epoch milliseconds */
export async function summarize(config: AgentConfig, nowMs: number): Promise<OutboxSummary> {
  const rows = await readRows(config)
  const lane = (name: OutboxRow['lane']) => {
    const inIt = rows.filter((row) => row.lane === name)
    return { count: inIt.length, bytes: inIt.reduce((sum, row) => sum + row.bytes, 0) }
  }
  const times = await Promise.all(
    rows.map((row) =>
      stat(join(config.paths.outbox, `${row.id}${archiveSuffix}`)).then(
        (file) => file.mtimeMs,
        () => nowMs,
      ),
    ),
  )
  return {
    lanes: { ready: lane('ready'), gated: lane('gated'), quarantine: lane('quarantine') },
    oldest_age_s: rows.length === 0 ? null : Math.max(0, Math.round((nowMs - Math.min(...times)) / 1000)),
    stuck: await stuckEpisodes(config, nowMs),
  }
}

async function stuckEpisodes(config: AgentConfig, nowMs: number): Promise<{ id: string; reason: string }[]> {
  const stuck: { id: string; reason: string }[] = []
  for (const id of (await listFolders(config.paths.episodes)).ids) {
    const { verdict } = await lookAt(config.paths.episodes, id, nowMs)
    if (verdict.state === 'stuck') stuck.push({ id, reason: `meta.json is older than ${verdict.file}` })
    if (verdict.state === 'invalid') stuck.push({ id, reason: verdict.reason })
  }
  return stuck
}
