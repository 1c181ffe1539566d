/** The most memory that a process ever held, as the kernel counts it (VmHWM: resident, shared pages too). */
import { readFile } from 'node:fs/promises'

const lookEveryMs = 50

export interface PeakMeter {
  /** Bytes, as of the last look; the process may be gone by now. */
  readonly peak: () => number
  readonly stop: () => void
}

/** Looks often, because the figure goes with the process. */
export function measurePeak(pid: number): PeakMeter {
  let peak = 0
  const look = async () => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
    peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024)
  }
  const timer = setInterval(() => void look(), lookEveryMs)
  return { peak: () => peak, stop: () => clearInterval(timer) }
}
