/** Which uploads run: one an episode, counted a host, with what each host sent today. In memory; a restart forgets the day. */
import type { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { AskingHosts } from './asking-hosts.ts'
import { BodyTimes } from './body-times.ts'

/** One body that is being received. */
export interface BodyTurn extends Disposable {
  /** Told for each chunk, so that room that is promised but not yet used stays known. */
  arrived(bytes: number): void
}

interface Day {
  /** Days since the epoch, UTC. */
  readonly day: number
  bytes: number
  episodes: number
}

export class UploadsRunning {
  readonly #keys = new Set<string>()
  readonly #publishing = new Set<string>()
  readonly #perHost = new Map<HostName, number>()
  readonly #declared = new Map<HostName, number>()
  readonly #today = new Map<HostName, Day>()
  readonly asking = new AskingHosts()
  readonly #times = new BodyTimes()
  readonly #waiting: (() => void)[] = []
  #bodies = 0
  #outstanding = 0

  get bodies(): number {
    return this.#bodies
  }

  /** How long one is received, in milliseconds. */
  get eachMs(): number {
    return this.#times.each
  }

  /** Declared bytes of running bodies that have not arrived yet. */
  get outstanding(): number {
    return this.#outstanding
  }

  /** Bodies of this host. */
  ofHost(host: HostName): number {
    return this.#perHost.get(host) ?? 0
  }

  /** Bytes that this host's running bodies have said they bring, arrived or not. */
  declaredOf(host: HostName): number {
    return this.#declared.get(host) ?? 0
  }

  /** A body and its episode together, as a plain PUT needs them. @returns undefined while this episode is held already */
  begin(host: HostName, id: EpisodeId, length = 0): BodyTurn | undefined {
    const held = this.hold(host, id)
    if (!held) return undefined
    const body = this.body(host, length)
    return {
      arrived: (bytes) => body.arrived(bytes),
      [Symbol.dispose]: () => {
        body[Symbol.dispose]()
        held[Symbol.dispose]()
      },
    }
  }

  /** Whoever holds an episode is alone with its name. @returns undefined while somebody does */
  hold(host: HostName, id: EpisodeId): Disposable | undefined {
    const key = `${host}/${id}`
    if (this.#keys.has(key)) return undefined
    this.#keys.add(key)
    return {
      [Symbol.dispose]: () => {
        this.#keys.delete(key)
        this.#wake()
      },
    }
  }

  /** From the first of its names until its row is durable: what lies there is no promise yet. */
  publishing(host: HostName, id: EpisodeId): Disposable {
    const key = `${host}/${id}`
    this.#publishing.add(key)
    return { [Symbol.dispose]: () => void this.#publishing.delete(key) }
  }

  isPublishing(host: HostName, id: EpisodeId): boolean {
    return this.#publishing.has(`${host}/${id}`)
  }

  /** @param length bytes that it may still take on the disk, where nobody else counts them */
  body(host: HostName, length = 0): BodyTurn {
    this.#bodies += 1
    const ended = this.#times.begin()
    this.asking.letIn(host)
    this.#perHost.set(host, this.ofHost(host) + 1)
    let left = length
    this.#outstanding += left
    this.#declare(host, length)
    return {
      arrived: (bytes) => {
        const used = Math.min(left, bytes)
        left -= used
        this.#outstanding -= used
      },
      [Symbol.dispose]: () => {
        ended()
        this.#outstanding -= left
        this.#declare(host, -length)
        this.#bodies -= 1
        const bodies = this.ofHost(host) - 1
        if (bodies > 0) this.#perHost.set(host, bodies)
        else this.#perHost.delete(host)
        this.#wake()
      },
    }
  }

  /** Resolves when no body is being received and nobody holds an episode. */
  async idle(): Promise<void> {
    if (this.#isIdle()) return
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #isIdle(): boolean {
    return this.#bodies === 0 && this.#keys.size === 0
  }

  #wake(): void {
    if (this.#isIdle()) for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #declare(host: HostName, bytes: number): void {
    const sum = this.declaredOf(host) + bytes
    if (sum > 0) this.#declared.set(host, sum)
    else this.#declared.delete(host)
  }

  today(host: HostName, now: number): Day {
    const day = Math.floor(now / 86_400_000)
    const known = this.#today.get(host)
    if (known?.day === day) return known
    const fresh = { day, bytes: 0, episodes: 0 }
    this.#today.set(host, fresh)
    return fresh
  }
}
