/** The outbox and the episodes in numbers, read without the lock: for status, doctor and report. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import type { AgentConfig } from '../config.ts'
import { lookSincePacked } from '../core/delivered-plan.ts'
import { unstamped } from '../core/gate-lane.ts'
import { planRoom, type SecondCopy } from '../core/quota.ts'
import type { LaneAges } from '../doctor/checks/delivery.ts'
import type { RoomSummary } from '../doctor/checks/disk.ts'
import type { OutboxSummary } from '../doctor/checks/outbox.ts'
import { listFolders, lookAt } from '../episodes/scan.ts'
import { fingerprint, walkTree } from '../episodes/tree.ts'
import { folderBytes, freeBytes } from '../episodes/usage.ts'
import { outboxBytes } from '../outbox/read.ts'
import { KnownReceipt, Packed, readRecords, Tombstone } from '../outbox/records.ts'
import { readReserve } from '../outbox/reserve.ts'
import { onSameDisk } from './make-room.ts'
import { type OutboxRow, readRows } from './outbox-view.ts'

export interface Summary extends OutboxSummary {
  readonly room: RoomSummary
  /** Of each lane's oldest archive, seconds. */
  readonly oldest_age_by_lane_s: LaneAges
  /** Uploads that have begun, and how much of them the receiver has. */
  readonly uploads: readonly { readonly id: string; readonly offset: number; readonly bytes: number }[]
  /** Folders that are being recorded. */
  readonly recording: number
  /** Folders that are finished and not packed yet. */
  readonly unpacked: number
}

const shownTombstones = 20

/** @param nowMs epoch milliseconds */
export async function summarize(config: AgentConfig, nowMs: number): Promise<Summary> {
  const rows = await readRows(config)
  const lane = (name: OutboxRow['lane']) => {
    const inIt = rows.filter((row) => row.lane === name)
    return { count: inIt.length, bytes: inIt.reduce((sum, row) => sum + row.bytes, 0) }
  }
  const tombstones = [...(await readRecords(join(config.paths.state, 'tombstones.jsonl'), Tombstone)).values()]
  const folders = await lookAtFolders(config, rows, new Set(tombstones.map(({ id }) => id)), nowMs)
  const lanes = ['ready', 'gated', 'quarantine'] as const
  const ages = await Promise.all(
    lanes.map((name) =>
      oldestAge(
        config,
        rows.filter((row) => row.lane === name),
        nowMs,
      ),
    ),
  )
  return {
    lanes: { ready: lane('ready'), gated: lane('gated'), quarantine: lane('quarantine') },
    uploads: rows.flatMap(({ id, upload_offset: offset, bytes }) => (offset === undefined ? [] : [{ id, offset, bytes }])),
    unstamped: rows.filter((row) => row.lane === 'gated' && unstamped(row.last?.code)).length,
    unpacked: folders.unpacked.length,
    oldest_age_s: ages.reduce<number | null>((worst, age) => (age === null ? worst : Math.max(worst ?? 0, age)), null),
    oldest_age_by_lane_s: Object.fromEntries(lanes.map((name, k) => [name, ages[k] ?? null])) as LaneAges,
    stuck: folders.stuck,
    recording: folders.recording,
    tombstones: {
      count: tombstones.length,
      last: tombstones.toSorted((a, b) => (a.at < b.at ? 1 : -1)).slice(0, shownTombstones),
    },
    room: await roomSummary(config, folders),
  }
}

/** Of an archive; what could not be packed has none. */
async function oldestAge({ paths }: AgentConfig, rows: readonly OutboxRow[], nowMs: number): Promise<number | null> {
  const times = await Promise.all(
    rows.map((row) =>
      stat(join(paths.outbox, `${row.id}${archiveSuffix}`)).then(
        (file) => file.mtimeMs,
        () => Number.POSITIVE_INFINITY,
      ),
    ),
  )
  const oldest = Math.min(...times)
  return Number.isFinite(oldest) ? Math.max(0, Math.round((nowMs - oldest) / 1000)) : null
}

interface Folders {
  readonly stuck: { readonly id: string; readonly reason: string }[]
  readonly copies: SecondCopy[]
  /** Finished, and not packed yet. */
  readonly unpacked: { readonly id: string; readonly bytes: number }[]
  recording: number
}

async function lookAtFolders(
  { paths }: AgentConfig,
  rows: readonly OutboxRow[],
  dropped: ReadonlySet<string>,
  nowMs: number,
): Promise<Folders> {
  const receipts = await readRecords(join(paths.state, 'receipts.jsonl'), KnownReceipt)
  const packed = await readRecords(join(paths.state, 'packed.jsonl'), Packed)
  const waiting = new Set(rows.map(({ id }) => id))
  const found: Folders = { stuck: [], copies: [], unpacked: [], recording: 0 }
  for (const id of (await listFolders(paths.episodes)).ids) {
    const receipt = receipts.get(id)
    if (receipt && !waiting.has(id)) {
      const print = fingerprint(await walkTree(join(paths.episodes, id)))
      const look = packed.get(id)
      // What was written to after it was delivered never makes room.
      if (lookSincePacked(print, look?.sha256 === receipt.sha256 ? look : undefined) === 'unchanged')
        found.copies.push({ id, bytes: print.bytes, received_at: receipt.received_at })
      continue
    }
    const { verdict, tree } = await lookAt(paths.episodes, id, nowMs)
    if (verdict.state === 'stuck') found.stuck.push({ id, reason: `meta.json is older than ${verdict.file}` })
    else if (verdict.state === 'invalid') found.stuck.push({ id, reason: verdict.reason })
    else if (verdict.state === 'recording') found.recording += 1
    else if (!waiting.has(id) && !dropped.has(id)) found.unpacked.push({ id, bytes: fingerprint(tree).bytes })
  }
  return found
}

async function roomSummary({ paths, quota }: AgentConfig, { copies, unpacked }: Folders): Promise<RoomSummary> {
  const reserve = await readReserve({ stateDir: paths.state, outboxDir: paths.outbox, bytes: quota.reserve })
  const used = quota.bytes === 0 ? 0 : (await folderBytes(paths.episodes)) + (await outboxBytes(paths.outbox))
  const free = await freeBytes(paths.outbox).catch(() => Number.POSITIVE_INFINITY)
  const held = reserve.at(-1)?.bytes ?? 0
  const room = { used, quota: quota.bytes, policy: quota.policy, free, held, reserve: quota.reserve, copies }
  const sameDisk = await onSameDisk(paths)
  const stopped = unpacked
    .map(({ id, bytes }) => ({ id, reason: planRoom({ ...room, sameDisk }, bytes).verdict }))
    .filter((one) => one.reason !== 'enough')
  const [first] = stopped
  return {
    used_bytes: quota.bytes === 0 ? null : used,
    quota_bytes: quota.bytes,
    policy: quota.policy,
    second_copies: { count: copies.length, bytes: copies.reduce((sum, { bytes }) => sum + bytes, 0) },
    reserve,
    stopped: first ? { reason: first.reason, first: first.id, count: stopped.length } : null,
  }
}
