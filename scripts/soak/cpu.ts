/** Processor time of the programs of a soak: what a life costs, and what a PUT. */
import { readFileSync } from 'node:fs'

/** Of a process and all its threads, in seconds; 0 for one that is gone. Linux counts in hundredths. */
export function cpuSeconds(pid: number | undefined): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name, which may have spaces and brackets in it, ends at the last bracket.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return 0
  }
}

/** Of this process, in seconds. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
