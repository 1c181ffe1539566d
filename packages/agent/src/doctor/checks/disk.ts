/** Room for what is recorded and for what waits. */
import { stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Check, Finding } from '../check.ts'

/** What the quota says, and what is kept for bad times. */
export interface RoomSummary {
  /** Bytes in outbox and episodes together; null where there is no quota. */
  readonly used_bytes: number | null
  readonly quota_bytes: number
  readonly policy: string
  /** Folders of delivered episodes that stayed. */
  readonly second_copies: { readonly count: number; readonly bytes: number }
  /** The reserve files as they are. */
  readonly reserve: readonly { readonly path: string; readonly bytes: number; readonly wanted: number }[]
  /** Finished episodes that cannot be packed for want of room. */
  readonly stopped: { readonly reason: string; readonly first: string; readonly count: number } | null
}

export interface Disk {
  readonly folders: readonly string[]
  /** Bytes that the agent keeps free. */
  readonly reserve: number
  readonly room: () => Promise<RoomSummary>
}

export function disk({ folders, reserve, room: askRoom }: Disk): Check {
  return {
    code: 'disk',
    title: 'The disk has room',
    severity: 'critical',
    timeout: 10_000,
    depends_on: [],
    remedy: `df -h ${folders.join(' ')} and make room; delivered episodes go by themselves once the receiver can be reached`,
    run: async () => {
      const rooms = await Promise.all(folders.map(async (path) => ({ path, ...(await room(path)) })))
      const worst = rooms.toSorted((a, b) => a.free / a.size - b.free / b.size)[0]
      if (!worst) return { outcome: 'unknown', text: 'no folder to look at' }
      // What cannot be read is the outbox check's to tell.
      const quota = await askRoom().catch(() => undefined)
      const held = await heldBeside(worst.path, quota?.reserve ?? [])
      const found = judgeRoom(worst.free + held, worst.size, reserve, worst.path, { folders: rooms, ...quota })
      return quota ? withQuota(found, quota) : found
    },
  }
}

/** Bytes of the reserve file that lies on this folder's disk: they are as good as free. */
async function heldBeside(folder: string, reserve: RoomSummary['reserve']): Promise<number> {
  const dev = await deviceOf(folder)
  for (const { path, bytes } of reserve) if (dev !== undefined && (await deviceOf(path)) === dev) return bytes
  return 0
}

async function deviceOf(path: string): Promise<number | undefined> {
  return await stat(path).then(
    (found) => found.dev,
    () => undefined,
  )
}

/** Packing that had to stop is a fail: recorded data piles up where it is. */
function withQuota(found: Finding, room: RoomSummary): Finding {
  const { used_bytes: used, quota_bytes: quota, stopped } = room
  const texts = [
    found.text,
    ...(used === null ? [] : [`quota ${formatSize(used)} of ${formatSize(quota)} (${room.policy})`]),
    ...(room.second_copies.count === 0 ? [] : [`second copies ${formatSize(room.second_copies.bytes)}`]),
  ]
  if (stopped === null) {
    const nearly = used !== null && used > quota * 0.9 && found.outcome === 'pass'
    return { ...found, outcome: nearly ? 'warn' : found.outcome, text: texts.join(', ') }
  }
  const waits = stopped.count === 1 ? '1 finished episode is' : `${stopped.count} finished episodes are`
  return {
    ...found,
    outcome: 'fail',
    text: [`packing stopped (${stopped.reason}): ${waits} not packed, first ${stopped.first}`, ...texts].join(', '),
    ...(stopped.reason === 'quota' && {
      remedy:
        'sudoedit /etc/cis490/lab-host.toml: raise quota.bytes, lower ship.keep_shipped, or set quota.policy = "drop-oldest-delivered"; sudo systemctl restart cis490-orchestrator',
    }),
  }
}

/** Under 2 % or the reserve is a fail, under 10 % a warning. */
export function judgeRoom(
  free: number,
  size: number,
  reserve: number,
  path: string,
  data: Record<string, unknown> = {},
): Finding {
  const percent = size === 0 ? 0 : (free / size) * 100
  const text = `${formatSize(free)} free (${percent.toFixed(1)} %) at ${path}`
  const perfdata = [`disk_free=${free}B`, `disk_free_percent=${percent.toFixed(1)}%`]
  if (percent < 2 || free < reserve) return { outcome: 'fail', text, data, perfdata }
  return { outcome: percent < 10 ? 'warn' : 'pass', text, data, perfdata }
}

/** Of a folder that is not made yet: where it will be made. */
async function room(path: string): Promise<{ free: number; size: number }> {
  try {
    const { bavail, blocks, bsize } = await statfs(path)
    return { free: bavail * bsize, size: blocks * bsize }
  } catch (error) {
    if (isErrno(error, 'ENOENT') && dirname(path) !== path) return await room(dirname(path))
    throw error
  }
}
