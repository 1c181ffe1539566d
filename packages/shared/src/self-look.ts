/** What a daemon finds when it looks at itself, and what it says of that to the service manager (sd_notify). */
import { printable } from './printable.ts'

export interface SelfLook {
  /** Loop and store, or outbox, answer. What only a person can mend, a full disk for one, is no reason for a restart. */
  readonly well: boolean
  /** One line for `systemctl status`. */
  readonly status: string
}

export type Stage = 'ready' | 'running'

/** The watchdog is fed only while the daemon is well. */
export function wordsOf({ well, status }: SelfLook, stage: Stage): string[] {
  return [...(stage === 'ready' ? ['READY=1'] : []), ...(well ? ['WATCHDOG=1'] : []), statusWord(status)]
}

export function statusWord(status: string): string {
  return `STATUS=${printable(status).slice(0, 240)}`
}
