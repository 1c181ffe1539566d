/** The machine itself: memory, pressure, runtime, and how many folders may be watched. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatSize } from '@cis490/shared/size.ts'
import type { Check } from '../check.ts'

const text = (path: string) => readFile(path, 'utf8').catch(() => undefined)

/** Percent over five minutes: a burst is none. */
const tooMuch = { io: 60, memory: 20 } as const

/** @param proc the kernel's tree */
export function pressure(proc = '/proc'): Check {
  return {
    code: 'pressure',
    title: 'Memory and disk are not overloaded',
    severity: 'warning',
    timeout: 5000,
    depends_on: [],
    remedy: 'ps -eo pid,rss,comm --sort=-rss | head shows who holds memory, iotop -o who writes',
    run: async () => {
      const [meminfo, io, memory] = await Promise.all([
        text(join(proc, 'meminfo')),
        text(join(proc, 'pressure/io')),
        text(join(proc, 'pressure/memory')),
      ])
      const kib = (name: string) =>
        Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo ?? '')?.[1] ?? Number.NaN) * 1024
      const [available, total] = [kib('MemAvailable'), kib('MemTotal')]
      if (Number.isNaN(available / total)) return { outcome: 'skip', text: 'this kernel does not tell' }
      const waits = { io: someAvg300(io), memory: someAvg300(memory) }
      const low = available / total < 0.05
      const high = (['io', 'memory'] as const).filter((one) => (waits[one] ?? 0) > tooMuch[one])
      const told = [
        `${formatSize(available)} of ${formatSize(total)} memory free for use`,
        ...high.map((one) => `something waits for ${one === 'io' ? 'a disk' : 'memory'} ${waits[one]} % of the time`),
      ]
      return {
        outcome: low || high.length > 0 ? 'warn' : 'pass',
        text: told.join(', '),
        data: { memory_available_bytes: available, memory_total_bytes: total, some_avg300: waits },
        perfdata: [
          `memory_available=${available}B`,
          ...Object.entries(waits).flatMap(([one, share]) => (share === null ? [] : [`${one}_pressure=${share}%`])),
        ],
      }
    },
  }
}

/** `some avg10=… avg60=… avg300=12.34 …` @returns percent, null where it is not told */
function someAvg300(pressureText: string | undefined): number | null {
  const found = /^some .*avg300=(\d+(?:\.\d+)?)/m.exec(pressureText ?? '')?.[1]
  return found === undefined ? null : Number(found)
}

/** What runs TypeScript without a build. */
const leastMajor = 24

/** @param version as `process.version` */
export function runtime(version: string): Check {
  return {
    code: 'runtime',
    title: 'The runtime is new enough',
    severity: 'critical',
    timeout: 1000,
    depends_on: [],
    remedy: `sudo /opt/cis490/scripts/install-lab-host.sh brings a Node of its own; with --node PATH, install Node ${leastMajor} or newer there`,
    run: async () => {
      const major = Number(/^v(\d+)\./.exec(version)?.[1] ?? 0)
      const data = { version, least: `v${leastMajor}` }
      if (major >= leastMajor) return { outcome: 'pass', text: `Node ${version}`, data }
      return { outcome: 'fail', text: `Node ${version} is older than v${leastMajor}`, data }
    },
  }
}

/** The daemon watches the episodes folder two levels deep, and each folder takes one watch of its user. */
export function watchLimit(episodes: string, proc = '/proc'): Check {
  return {
    code: 'watch-limit',
    title: 'The episodes folder can be watched',
    severity: 'warning',
    timeout: 10_000,
    depends_on: ['episodes-readable'],
    remedy: 'echo fs.inotify.max_user_watches=1048576 | sudo tee /etc/sysctl.d/60-cis490.conf && sudo sysctl --system',
    run: async () => {
      const limit = Number((await text(join(proc, 'sys/fs/inotify/max_user_watches'))) ?? Number.NaN)
      if (!Number.isFinite(limit)) return { outcome: 'skip', text: 'this kernel does not tell' }
      const folders = await foldersIn(episodes)
      const below = await Promise.all(folders.map(async (name) => (await foldersIn(join(episodes, name))).length))
      const needed = 1 + folders.length + below.reduce((sum, count) => sum + count, 0)
      const data = { needed, limit }
      const found = `${needed} of ${limit} watches`
      if (needed <= limit * 0.8) return { outcome: 'pass', text: found, data }
      return { outcome: 'warn', text: `${found}: beyond the limit new episodes are found by the periodic scan only`, data }
    },
  }
}

async function foldersIn(dir: string): Promise<string[]> {
  const found = await readdir(dir, { withFileTypes: true }).catch(() => [])
  return found.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}
