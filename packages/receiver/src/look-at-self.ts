/** The receiver looks at its store: for `systemctl status`, and for the watchdog. */
import { stat } from 'node:fs/promises'
import type { SelfLook } from '@cis490/shared/self-look.ts'
import { formatSize } from '@cis490/shared/size.ts'

export interface SelfPorts {
  /** A file that every store has. */
  readonly storeFile: string
  /** What a writer met after which nobody knows what the disk holds. */
  readonly inDoubt: boolean
  readonly url: string
  readonly connections: number
  readonly bodies: number
  /** Seconds; null while it has no commits. */
  readonly gateAge: number | null
  readonly freeBytes: () => number
}

/** @throws the system's error for a store that does not answer: that is not well */
export async function lookAtSelf(ports: SelfPorts): Promise<SelfLook> {
  if (ports.inDoubt) return { well: false, status: 'the store is in doubt' }
  await stat(ports.storeFile)
  const free = formatSize(ports.freeBytes())
  const gate = ports.gateAge === null ? 'the version gate has no commits' : `version gate ${Math.round(ports.gateAge)} s old`
  return {
    well: true,
    status: `${ports.url}: ${ports.bodies} bodies on ${ports.connections} connections; ${gate}; ${free} free`,
  }
}
