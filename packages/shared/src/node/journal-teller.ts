/**
 * Hands errors that have a cure to the journal with their identity, which a line on stdout cannot carry. Node has no datagram
 * sockets of the Unix kind, so `logger` does it, which every system with systemd has. It never holds the program up and never fails it.
 */
import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { catalogued, journalFields } from '../catalogue.ts'

/** At once; more are an outage that tells the same again and again. */
const mostChildren = 4

/**
 * The journal looks its sender up: the shell becomes a process that takes no notice of a child that ended,
 * which therefore is there, and in this unit, for a second more.
 */
const script = 'logger --journald 0<&3 3<&- & exec sleep 1 3<&-'

export class JournalTeller {
  #running = 0
  #unheard = false

  /** @param line as it was logged; of what stands not in the catalogue nothing is told */
  tell(line: Readonly<Record<string, unknown>>): void {
    const entry = catalogued(line['msg'])
    if (!entry || this.#unheard || this.#running >= mostChildren) return
    try {
      this.#hand(journalFields(entry, line))
    } catch {
      // No descriptor or no memory for a child: whoever logs must not fail with it.
    }
  }

  #hand(fields: ReturnType<typeof journalFields>): void {
    const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
    this.#running += 1
    child.unref()
    const ended = () => {
      this.#running -= 1
    }
    child.once('exit', ended)
    child.once('error', () => {
      this.#unheard = true
      ended()
    })
    // Not there where the child could not be started for want of a descriptor.
    const pipe = child.stdio?.[3] as (Writable & { unref?: () => void }) | null | undefined
    // Whoever reads it may be gone.
    pipe?.on('error', () => undefined)
    pipe?.unref?.()
    pipe?.end(fields)
  }
}
