/** Pressure stall information of the kernel. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Pressure, someAvg10 } from '../core/pressure.ts'

/** @returns undefined where this kernel does not tell: then nobody waits for it */
export function readPressure(dir = '/proc/pressure'): Pressure | undefined {
  const of = (resource: string) => {
    try {
      // Three small files that the kernel makes up: quicker than a turn of the loop.
      return someAvg10(readFileSync(join(dir, resource), 'utf8'))
    } catch {
      return undefined
    }
  }
  const [io, cpu, memory] = ['io', 'cpu', 'memory'].map(of)
  return io === undefined && cpu === undefined && memory === undefined
    ? undefined
    : { io: io ?? 0, cpu: cpu ?? 0, memory: memory ?? 0 }
}
