/** Which hosts asked for a place lately, and which of them were turned away. In memory. */
import type { HostName } from '@cis490/shared/ids.ts'

/** Longer than any wait that a host is told for a place. */
const latelyMs = 30_000

interface Asked {
  at: number
  /** Turned away, and has had no place since. */
  waiting: boolean
}

export class AskingHosts {
  readonly #hosts = new Map<HostName, Asked>()

  /** @param now epoch milliseconds. @returns hosts that asked lately, this one included, and how many others wait */
  ask(host: HostName, now: number): { hosts: number; waiting: number } {
    for (const [other, { at }] of this.#hosts) if (now - at > latelyMs || now < at) this.#hosts.delete(other)
    this.#hosts.set(host, { at: now, waiting: this.#hosts.get(host)?.waiting ?? false })
    const others = [...this.#hosts].filter(([other, { waiting }]) => waiting && other !== host)
    return { hosts: this.#hosts.size, waiting: others.length }
  }

  turnAway(host: HostName, now: number): void {
    this.#hosts.set(host, { at: now, waiting: true })
  }

  letIn(host: HostName): void {
    const asked = this.#hosts.get(host)
    if (asked) asked.waiting = false
  }
}
