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
  /** Who asked longest ago comes first. */
  readonly #hosts = new Map<HostName, Asked>()
  #waiting = 0

  /** @param now epoch milliseconds. @returns hosts that asked lately, this one included, and how many others wait */
  ask(host: HostName, now: number): { hosts: number; waiting: number } {
    this.#forgetOld(now)
    const waits = this.#hosts.get(host)?.waiting ?? false
    this.#put(host, now, waits)
    return { hosts: this.#hosts.size, waiting: this.#waiting - Number(waits) }
  }

  turnAway(host: HostName, now: number): void {
    this.#put(host, now, true)
  }

  letIn(host: HostName): void {
    const asked = this.#hosts.get(host)
    if (!asked?.waiting) return
    asked.waiting = false
    this.#waiting -= 1
  }

  #put(host: HostName, at: number, waiting: boolean): void {
    this.#remove(host)
    this.#hosts.set(host, { at, waiting })
    this.#waiting += Number(waiting)
  }

  #remove(host: HostName): void {
    if (this.#hosts.get(host)?.waiting) this.#waiting -= 1
    this.#hosts.delete(host)
  }

  #forgetOld(now: number): void {
    for (const [host, { at }] of this.#hosts) {
      if (now - at <= latelyMs && now >= at) break
      this.#remove(host)
    }
  }
}
