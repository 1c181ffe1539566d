/** Which uploads run: one an episode, counted a host, with what each host sent today. In memory; a restart forgets the day. */
import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'

/** One running upload. */
export interface UploadTurn extends Disposable {
  /** Told for each chunk, so that room that is promised but not yet used stays known. */
  arrived(bytes: number): void
}

interface Day {
  day: string
  bytes: number
  episodes: number
}

export class UploadsRunning {
  readonly #keys = new Set<string>()
  readonly #perHost = new Map<HostName, number>()
  readonly #today = new Map<HostName, Day>()
  #outstanding = 0

  get bodies(): number {
    return this.#keys.size
  }

  /** Declared bytes of running bodies that have not arrived yet. */
  get outstanding(): number {
    return this.#outstanding
  }

  ofHost(host: HostName): number {
    return this.#perHost.get(host) ?? 0
  }

  /** @returns undefined while this episode is being uploaded already */
  begin(host: HostName, id: EpisodeId, length = 0): UploadTurn | undefined {
    const key = `${host}/${id}`
    if (this.#keys.has(key)) return undefined
    this.#keys.add(key)
    this.#perHost.set(host, this.ofHost(host) + 1)
    let left = length
    this.#outstanding += left
    return {
      arrived: (bytes) => {
        const used = Math.min(left, bytes)
        left -= used
        this.#outstanding -= used
      },
      [Symbol.dispose]: () => {
        this.#outstanding -= left
        this.#keys.delete(key)
        const uploads = this.ofHost(host) - 1
        if (uploads > 0) this.#perHost.set(host, uploads)
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
