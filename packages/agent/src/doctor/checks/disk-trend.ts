/** Days until a disk is full, and what else may run out on it. */
import type { StatsFs } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { formatSize } from '@cis490/shared/size.ts'
import { daysUntilFull } from '../../core/disk-trend.ts'
import type { Check, Finding } from '../check.ts'
import type { FreeSample } from '../disk-history.ts'

const warnDays = 14
const failDays = 3

export interface DiskTrend {
  readonly folders: readonly string[]
  readonly history: () => Promise<readonly FreeSample[]>
  readonly now: () => number
}

/** Of a folder that is not made yet: of the one where it will be made. */
async function statfsOf(path: string): Promise<StatsFs> {
  try {
    return await statfs(path)
  } catch (error) {
    if (isErrno(error, 'ENOENT') && dirname(path) !== path) return await statfsOf(dirname(path))
    throw error
  }
}

/** Free bytes by folder, for the next trend. */
export async function freeNow(folders: readonly string[]): Promise<Record<string, number>> {
  const free = folders.map(async (path) => {
    const { bavail, bsize } = await statfsOf(path)
    return [path, bavail * bsize] as const
  })
  return Object.fromEntries(await Promise.all(free))
}

export function diskTrend({ folders, history, now }: DiskTrend): Check {
  return {
    code: 'disk-trend',
    title: 'The disk lasts for weeks',
    severity: 'warning',
    timeout: 10_000,
    depends_on: ['disk'],
    remedy: `du -xh --max-depth=2 ${folders.join(' ')} | sort -h | tail; set quota.bytes, or make room`,
    run: async () => {
      const past = await history()
      const present = await freeNow(folders)
      const trends = folders.map((path) => {
        const free = present[path] ?? 0
        const before = past.flatMap(({ at, free: then }) => (then[path] === undefined ? [] : [{ at, free: then[path] }]))
        return { path, free, days: daysUntilFull([...before, { at: now(), free }]) }
      })
      return judgeTrend(trends, past.length)
    },
  }
}

interface Trend {
  readonly path: string
  readonly free: number
  readonly days: number | undefined
}

function judgeTrend(trends: readonly Trend[], samples: number): Finding {
  const filling = trends.filter((one): one is Trend & { days: number } => one.days !== undefined)
  const soonest = filling.toSorted((a, b) => a.days - b.days)[0]
  if (soonest === undefined)
    return { outcome: 'pass', text: 'it does not fill, or is not known for a day yet', data: { samples } }
  const { path, free } = soonest
  const days = Math.floor(soonest.days)
  const text = `${path} is full in ${days} days as it goes (${formatSize(free)} free)`
  const outcome = days < failDays ? 'fail' : days < warnDays ? 'warn' : 'pass'
  return { outcome, text, data: { path, days_until_full: days, samples }, perfdata: [`days_until_full=${days}`] }
}

export function inodes(folders: readonly string[]): Check {
  return {
    code: 'inodes',
    title: 'The disk has room for more files',
    severity: 'critical',
    timeout: 10_000,
    depends_on: [],
    remedy: `df -i ${folders.join(' ')}; du --inodes -xd2 ${folders.join(' ')} | sort -n | tail shows where the files are`,
    run: async () => {
      const found = await Promise.all(folders.map(async (path) => ({ path, ...(await statfsOf(path)) })))
      const counting = found.filter(({ files }) => files > 0)
      const worst = counting.toSorted((a, b) => a.ffree / a.files - b.ffree / b.files)[0]
      if (worst === undefined) return { outcome: 'pass', text: 'this file system sets no bound' }
      const percent = (worst.ffree / worst.files) * 100
      const text = `${worst.ffree} free (${percent.toFixed(1)} %) at ${worst.path}`
      const data = { path: worst.path, free: worst.ffree, total: worst.files }
      const perfdata = [`inodes_free=${worst.ffree}`]
      return { outcome: percent < 2 ? 'fail' : percent < 10 ? 'warn' : 'pass', text, data, perfdata }
    },
  }
}
