/** What others did on this machine meanwhile: a figure from a loud moment is to be recognised as one. */
import { readFileSync } from 'node:fs'
import { cpuOf } from './process-tree.ts'

export interface Noise {
  readonly seconds: number
  /** CPU of programs that are not the benchmark's, as a share of all processors, 0 to 1. */
  readonly foreign: number
  /** What the host of a virtual machine took away, as a share of all processors. */
  readonly steal: number
}

interface Sample {
  readonly at: number
  readonly busy: number
  readonly steal: number
  readonly total: number
  readonly own: number
}

/** Begins to watch. @returns what ends it and tells */
export function noiseMeter(): () => Noise {
  const before = sample()
  return () => noiseBetween(before, sample())
}

/** Pure: shares of the whole machine between two looks. */
export function noiseBetween(a: Sample, b: Sample): Noise {
  const total = Math.max(b.total - a.total, 0.01)
  const share = (part: number) => Math.min(1, Math.max(0, part / total))
  return {
    seconds: b.at - a.at,
    foreign: share(b.busy - a.busy - (b.own - a.own)),
    steal: share(b.steal - a.steal),
  }
}

function sample(): Sample {
  const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] as string
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) / 100)
  const busy = user + nice + system + irq + softirq
  return { at: performance.now() / 1000, busy, steal, total: busy + idle + iowait + steal, own: cpuOf([process.pid]) }
}
