/** Room for what is recorded and for what waits. */
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { Check, Finding } from '../check.ts'

export interface Disk {
  readonly folders: readonly string[]
  /** Bytes that the agent keeps free. */
  readonly reserve: number
}

export function disk({ folders, reserve }: Disk): Check {
  return {
    code: 'disk',
    title: 'The disk has room',
    severity: 'critical',
    timeout: 5000,
    depends_on: [],
    remedy: `df -h ${folders.join(' ')} and make room; delivered episodes go by themselves once the receiver can be reached`,
    run: async () => {
      const rooms = await Promise.all(folders.map(async (path) => ({ path, ...(await room(path)) })))
      const worst = rooms.toSorted((a, b) => a.free / a.size - b.free / b.size)[0]
      if (!worst) return { outcome: 'unknown', text: 'no folder to look at' }
      return judgeRoom(worst.free, worst.size, reserve, worst.path, { folders: rooms })
    },
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
  if (percent < 2 || free < reserve) return { outcome: 'fail', text, data }
  return { outcome: percent < 10 ? 'warn' : 'pass', text, data }
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
