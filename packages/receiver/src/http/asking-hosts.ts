/** Which hosts asked for a place lately, and which of them were turned away. In memory; no question costs more with more hosts. */
import type { HostName } from '@cis490/shared/ids.ts'

/** Longer than any wait that a host is told for a place. */
const latelyMs = 90_000

interface Asked {
  readonly at: number
  /** Turned away, and has had no place since. */
  readonly waiting: boolean
}

export class AskingHosts {
  /** Who asked longest ago is first. */
  readonly #hosts = new Map<HostName, Asked>()
  #waiting = 0

  /** @param now epoch milliseconds. @returns hosts that asked lately, this one included, and how many others wait */
  ask(host: HostName, now: number): { hosts: number; waiting: number } {
    for (const [other, { at }] of this.#hosts) {
      if (now - at <= latelyMs && at <= now) break
      this.#forget(other)
    }
    const waiting = this.#forget(host)?.waiting ?? false
    const others = this.#waiting
    this.#note(host, { at: now, waiting })
    return { hosts: this.#hosts.size, waiting: others }
  }

  turnAway(host: HostName, now: number): void {
    this.#forget(host)
    this.#note(host, { at: now, waiting: true })
  }

  letIn(host: HostName): void {
    const asked = this.#hosts.get(host)
    if (!asked?.waiting) return
    this.#waiting -= 1
    // In its place: it did not ask anew.
    this.#hosts.set(host, { at: asked.at, waiting: false })
  }

  #note(host: HostName, asked: Asked): void {
    this.#hosts.set(host, asked)
    if (asked.waiting) this.#waiting += 1
  }

  #forget(host: HostName): Asked | undefined {
    const asked = this.#hosts.get(host)
    if (asked?.waiting) this.#waiting -= 1
    this.#hosts.delete(host)
    return asked
  }
}
