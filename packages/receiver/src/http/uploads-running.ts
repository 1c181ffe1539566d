/** Which uploads run: one an episode, counted a host, with what each host sent today. In memory; a restart forgets the day. */
import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'

interface Day {
  day: string
  bytes: number
  episodes: number
}

export class UploadsRunning {
  readonly #keys = new Set<string>()
  readonly #perHost = new Map<HostName, number>()
  readonly #today = new Map<HostName, Day>()

  get bodies(): number {
    return this.#keys.size
  }

  ofHost(host: HostName): number {
    return this.#perHost.get(host) ?? 0
  }

  /** @returns undefined while this episode is being uploaded already */
  begin(host: HostName, id: EpisodeId): Disposable | undefined {
    const key = `${host}/${id}`
    if (this.#keys.has(key)) return undefined
    this.#keys.add(key)
    this.#perHost.set(host, this.ofHost(host) + 1)
    return {
      [Symbol.dispose]: () => {
        this.#keys.delete(key)
        const left = this.ofHost(host) - 1
        if (left > 0) this.#perHost.set(host, left)
        else this.#perHost.delete(host)
      },
    }
  }

  isRunning(host: HostName, id: EpisodeId): boolean {
    return this.#keys.has(`${host}/${id}`)
  }

  today(host: HostName, now: number): Day {
    const day = new Date(now).toISOString().slice(0, 10)
    const known = this.#today.get(host)
    if (known?.day === day) return known
    const fresh = { day, bytes: 0, episodes: 0 }
    this.#today.set(host, fresh)
    return fresh
  }
}
