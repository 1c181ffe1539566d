/** What a process and all that it started have used, as the kernel counts it in /proc. */
import { readdirSync, readFileSync } from 'node:fs'

/** /proc counts in ticks of 10 ms, whatever the kernel's own clock. */
const tickS = 0.01

interface Stat {
  readonly ppid: number
  /** Seconds of the process itself, and of its children that ended and were waited for. */
  readonly cpu: number
}

/** @returns undefined when it is gone */
function statOf(pid: number | 'self'): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold anything, spaces and parentheses too.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number) as [number, number, number, number]
    return { ppid: Number(fields[1]), cpu: (utime + stime + cutime + cstime) * tickS }
  } catch {
    return undefined
  }
}

/** The process and its living descendants. */
export function treeOf(root: number): number[] {
  const parents = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = statOf(Number(name))
    if (stat) parents.set(stat.ppid, [...(parents.get(stat.ppid) ?? []), Number(name)])
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(parents.get(pid) ?? []))
  return tree
}

/** CPU seconds, user and system, of the tree: of the living ones and of those that were waited for. */
export function cpuOf(roots: readonly number[]): number {
  return roots.flatMap(treeOf).reduce((sum, pid) => sum + (statOf(pid)?.cpu ?? 0), 0)
}

/** CPU seconds of our own children that have ended. */
export function cpuOfEnded(): number {
  const text = readFileSync('/proc/self/stat', 'latin1')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) * tickS
}

/** Bytes: the most that each process of the tree ever held (VmHWM), added up. */
export function peakOf(roots: readonly number[]): number {
  return roots.flatMap(treeOf).reduce((sum, pid) => sum + field(pid, 'VmHWM'), 0)
}

/** Bytes that the tree holds now (VmRSS), added up. */
export function residentOf(roots: readonly number[]): number {
  return roots.flatMap(treeOf).reduce((sum, pid) => sum + field(pid, 'VmRSS'), 0)
}

function field(pid: number, name: string): number {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'latin1')
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}
