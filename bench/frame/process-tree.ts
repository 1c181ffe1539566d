/** What a process and all that it started have used, as the kernel counts it in /proc. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** /proc counts in ticks of 10 ms, whatever the kernel's own clock. */
const tickS = 0.01

/** @returns seconds of the process itself, and of its children that ended and were waited for; 0 when it is gone */
function cpuSecondsOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name in parentheses may hold anything, spaces and parentheses too.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number) as [number, number, number, number]
    return (utime + stime + cutime + cstime) * tickS
  } catch {
    return 0
  }
}

/** The process and its living descendants. Asks these alone: a look at every process of the machine, many times a second, would be a load of its own. */
export function treeOf(root: number): number[] {
  const tree = [root]
  for (const pid of tree) tree.push(...childrenOf(pid))
  return tree
}

/** Children belong to the thread that started them. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    )
  } catch {
    return []
  }
}

/** CPU seconds, user and system, of the tree: of the living ones and of those that were waited for. */
export function cpuOf(roots: readonly number[]): number {
  return roots.flatMap(treeOf).reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
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

/** VmHWM begins anew at what is resident now. */
export function forgetPeak(pids: readonly number[]): void {
  for (const pid of pids.flatMap(treeOf)) writeFileSync(`/proc/${pid}/clear_refs`, '5')
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
