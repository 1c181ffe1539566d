/** What a raw client sends next: new episodes, the same again, other bytes under a known id, and what must be refused. */
import { hash } from 'node:crypto'
import { between, pick, type Random, seeded } from '../../test/support/seeded.ts'
import { rawArchive } from './archive.ts'
import type { PutKind } from './history.ts'

export interface Wish {
  readonly kind: PutKind
  readonly id: string
  readonly body: Buffer
  readonly sha256: string
  readonly commit: string
  /** Which bytes of the id these are. */
  readonly variant: number
}

interface Known {
  readonly id: string
  readonly variant: number
}

const poolBytes = 1 << 20
/** How far back `hot` ids go: they may still be on their way in another connection. */
const hotIds = 12

/** Variants from here on are some hundred KiB. */
const bigVariant = 4
const big = (number: number) => 50_000 + (number % 250_000)

/** All the connections of one host share it. */
export class Workload {
  readonly #random: Random
  readonly #pool: Buffer
  readonly #commits: readonly string[]
  readonly #seed: number
  #count = 0
  readonly #recent: Known[] = []
  readonly #settled: Known[] = []
  readonly #open: Known[] = []

  constructor(seed: number, commits: readonly string[]) {
    this.#seed = seed
    this.#random = seeded(seed)
    this.#commits = commits
    const numbers = seeded(seed ^ 0x5eed)
    const pool = new Uint32Array(poolBytes / 4)
    for (let k = 0; k < pool.length; k++) pool[k] = numbers() * 2 ** 32
    this.#pool = Buffer.from(pool.buffer)
  }

  next(): Wish {
    if (this.#open.length > 0 && this.#random() < 0.3) return this.#wish('again', this.#takeOpen())
    const dice = this.#random()
    if (dice < 0.03)
      return this.#wish('resumable', { id: this.#newId(), variant: between(this.#random, bigVariant, bigVariant + 1) })
    if (dice < 0.22 || this.#settled.length === 0 || this.#recent.length === 0) return this.#fresh()
    if (dice < 0.75) return this.#wish('replay', pick(this.#random, this.#settled))
    if (dice < 0.87)
      return this.#wish('conflict', { id: pick(this.#random, this.#settled).id, variant: between(this.#random, 1, 3) })
    if (dice < 0.96) return this.#wish('hot', { id: pick(this.#random, this.#recent).id, variant: between(this.#random, 0, 1) })
    if (dice < 0.98) return { ...this.#fresh(), kind: 'wrong-hash', sha256: hash('sha256', `no body ${this.#count}`) }
    return { ...this.#fresh(), kind: 'stale-stamp', commit: 'f'.repeat(40) }
  }

  /** An id that may be stored, to look whether it is. */
  known(): string | undefined {
    return this.#settled.length > 0 ? pick(this.#random, this.#settled).id : undefined
  }

  /** @param outcome of the wish; what nobody knows is asked again later */
  learn(wish: Wish, outcome: 'ok' | 'fail' | 'info'): void {
    const { kind, id, variant } = wish
    if (kind === 'wrong-hash' || kind === 'stale-stamp') return
    if (outcome === 'ok' && kind !== 'replay') this.#settled.push({ id, variant })
    else if (outcome === 'info' && this.#open.length < 1000) this.#open.push({ id, variant })
  }

  #newId(): string {
    return `e${this.#seed.toString(36)}-${(this.#count++).toString().padStart(6, '0')}`
  }

  #takeOpen(): Known {
    return this.#open.shift() as Known
  }

  #fresh(): Wish {
    const known = { id: this.#newId(), variant: 0 }
    this.#recent.push(known)
    if (this.#recent.length > hotIds) this.#recent.shift()
    return this.#wish('new', known)
  }

  #wish(kind: PutKind, { id, variant }: Known): Wish {
    const numbers = hash('sha256', `${id} ${variant}`, 'buffer')
    const commit = this.#commits[numbers.readUInt8(5) % this.#commits.length] as string
    const body = rawArchive({ id, commit, variant, payload: this.#payload(numbers, variant) })
    return { kind, id, variant, body, sha256: hash('sha256', body), commit }
  }

  /** The same bytes whenever it is asked: nothing has to be kept. Mostly a few KiB, sometimes some hundred. */
  #payload(numbers: Buffer, variant: number): Buffer {
    const bytes =
      variant >= bigVariant || numbers.readUInt8(4) < 1 ? big(numbers.readUInt32LE(8)) : 64 + (numbers.readUInt32LE(8) % 3000)
    const from = numbers.readUInt32LE(0) % (poolBytes - bytes)
    return this.#pool.subarray(from, from + bytes)
  }
}
