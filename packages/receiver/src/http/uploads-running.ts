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

interface HostLoad {
  bodies: number
  /** Bytes that its running bodies have said they bring, arrived or not. */
  declared: number
  today: Day
}

interface Totals {
  bodies: number
  /** Declared bytes of running bodies that have not arrived yet. */
  outstanding: number
  readonly times: BodyTimes
}

export class UploadsRunning {
  readonly #keys = new Set<string>()
  readonly #publishing = new Set<string>()
  /** All that sent something since the start. */
  readonly #hosts = new Map<HostName, HostLoad>()
  readonly #totals: Totals = { bodies: 0, outstanding: 0, times: new BodyTimes() }
  readonly asking = new AskingHosts()
  readonly #waiting: (() => void)[] = []
  readonly #wake: Disposable = {
    [Symbol.dispose]: () => {
      if (this.#isIdle()) for (const resolve of this.#waiting.splice(0)) resolve()
    },
  }

  get bodies(): number {
    return this.#totals.bodies
  }

  /** How long one is received, in milliseconds. */
  get eachMs(): number {
    return this.#totals.times.each
  }

  /** Declared bytes of running bodies that have not arrived yet. */
  get outstanding(): number {
    return this.#totals.outstanding
  }

  /** Bodies of this host. */
  ofHost(host: HostName): number {
    return this.#hosts.get(host)?.bodies ?? 0
  }

  /** Bytes that this host's running bodies have said they bring, arrived or not. */
  declaredOf(host: HostName): number {
    return this.#hosts.get(host)?.declared ?? 0
  }

  /** A body and its episode together, as a plain PUT needs them. @returns undefined while this episode is held already */
  begin(host: HostName, id: EpisodeId, length = 0): BodyTurn | undefined {
    const held = this.hold(host, id)
    return held && this.#receive(host, length, held)
  }

  /** Whoever holds an episode is alone with its name. @returns undefined while somebody does */
  hold(host: HostName, id: EpisodeId): Disposable | undefined {
    const key = `${host}/${id}`
    return this.#keys.has(key) ? undefined : new Named(this.#keys, key, this.#wake)
  }

  /** From the first of its names until its row is durable: what lies there is no promise yet. */
  publishing(host: HostName, id: EpisodeId): Disposable {
    return new Named(this.#publishing, `${host}/${id}`)
  }

  isPublishing(host: HostName, id: EpisodeId): boolean {
    return this.#publishing.has(`${host}/${id}`)
  }

  /** @param length bytes that it may still take on the disk, where nobody else counts them */
  body(host: HostName, length = 0): BodyTurn {
    return this.#receive(host, length, this.#wake)
  }

  #receive(host: HostName, length: number, over: Disposable): BodyTurn {
    this.asking.letIn(host)
    return new Body(this.#totals, this.#load(host), length, over)
  }

  /** Resolves when no body is being received and nobody holds an episode. */
  async idle(): Promise<void> {
    if (this.#isIdle()) return
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #isIdle(): boolean {
    return this.#totals.bodies === 0 && this.#keys.size === 0
  }

  today(host: HostName, now: number): Day {
    const day = Math.floor(now / 86_400_000)
    const load = this.#load(host)
    if (load.today.day !== day) load.today = { day, bytes: 0, episodes: 0 }
    return load.today
  }

  #load(host: HostName): HostLoad {
    const known = this.#hosts.get(host)
    if (known) return known
    const fresh = { bodies: 0, declared: 0, today: { day: 0, bytes: 0, episodes: 0 } }
    this.#hosts.set(host, fresh)
    return fresh
  }
}

/** A name in a set, until it is disposed of. */
class Named implements Disposable {
  readonly #names: Set<string>
  readonly #name: string
  readonly #over: Disposable | undefined

  constructor(names: Set<string>, name: string, over?: Disposable) {
    this.#names = names
    this.#name = name
    this.#over = over
    names.add(name)
  }

  [Symbol.dispose](): void {
    this.#names.delete(this.#name)
    this.#over?.[Symbol.dispose]()
  }
}

class Body implements BodyTurn {
  readonly #totals: Totals
  readonly #host: HostLoad
  readonly #length: number
  readonly #over: Disposable
  readonly #began: number
  #left: number

  constructor(totals: Totals, host: HostLoad, length: number, over: Disposable) {
    this.#totals = totals
    this.#host = host
    this.#length = length
    this.#over = over
    this.#left = length
    this.#began = totals.times.begin()
    totals.bodies += 1
    totals.outstanding += length
    host.bodies += 1
    host.declared += length
  }

  arrived(bytes: number): void {
    const used = Math.min(this.#left, bytes)
    this.#left -= used
    this.#totals.outstanding -= used
  }

  [Symbol.dispose](): void {
    this.#totals.times.end(this.#began)
    this.#totals.bodies -= 1
    this.#totals.outstanding -= this.#left
    this.#host.bodies -= 1
    this.#host.declared -= this.#length
    this.#over[Symbol.dispose]()
  }
}
