/** Holds index, store and the other files against each other: reads everything, changes nothing, and may run beside a receiver. */
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type EpisodeFacts, type EpisodeVerdict, judgeEpisode } from '../../core/episode-state.ts'
import { type Finding, passing } from '../../core/finding.ts'
import { hashOfPhantom, misnamed, ownHash } from '../../core/misnamed.ts'
import type { EpisodeKey, StoreLayout } from '../layout.ts'
import { Prunes } from '../prunes.ts'
import { type Shelf, walkShelves, walkStrays } from '../walk.ts'
import { IndexPicture } from './index-picture.ts'
import { type HashPolicy, lookEpisode } from './look-episode.ts'
import { inodesOfUploads, lookLeftovers, lookTails } from './other-files.ts'

export interface LookOptions {
  readonly hashes: HashPolicy
  /** Whether a receiver works in the store now: then what passes is no finding. */
  readonly running: () => boolean
  /** Told after each archive that was looked at. */
  readonly onArchive?: ((done: number) => void) | undefined
}

/** An episode with which something is wrong. */
export interface Ill {
  readonly key: EpisodeKey
  readonly rows: number
  readonly facts: EpisodeFacts
  readonly verdict: EpisodeVerdict
}

/** How long what a receiver is about to finish may take. */
const patienceMs = 3000
const lookAgainMs = 50

export class Picture {
  readonly index: IndexPicture
  /** Paths of what does not belong into the store. */
  readonly strangers: string[] = []
  readonly ill = new Map<string, Ill>()
  tails: Finding[] = []
  leftovers: Finding[] = []
  archives = 0
  readonly #layout: StoreLayout
  readonly hashes: HashPolicy
  readonly #prunes: Prunes
  #uploading: ReadonlySet<number> = new Set()

  private constructor(layout: StoreLayout, hashes: HashPolicy) {
    this.#layout = layout
    this.hashes = hashes
    this.index = new IndexPicture(layout.index)
    this.#prunes = new Prunes(layout)
  }

  static async take(layout: StoreLayout, options: LookOptions): Promise<Picture> {
    const picture = new Picture(layout, options.hashes)
    picture.#uploading = await inodesOfUploads(layout)
    // The store first: an archive has its name before its row is written.
    const shelves = [...walkShelves(layout)]
    picture.strangers.push(...walkStrays(layout))
    for (const shelf of shelves) for (const name of shelf.strangers) picture.strangers.push(join(shelf.path, name))
    await picture.#readOn()
    for (const key of keysOf(shelves, picture.index)) {
      if (!(await picture.#judge(key))) continue
      picture.archives += 1
      options.onArchive?.(picture.archives)
    }
    if (!options.running()) picture.leftovers = await lookLeftovers(layout)
    await picture.#settle(options.running)
    picture.#settleMisnamed()
    return picture
  }

  get pruned(): number {
    return this.#prunes.size
  }

  findings(): Finding[] {
    const at = (path: string) => path.slice(this.#layout.root.length + 1)
    const ofEpisodes = [...this.ill.values()].flatMap(({ key, verdict }) =>
      verdict.faults.map(({ kind, detail }) => ({ kind, at: at(this.#placeOf(kind, key)), detail, key })),
    )
    const strangers = this.strangers.map((path): Finding => ({ kind: 'stranger', at: at(path), detail: at(path) }))
    return [...this.index.findings, ...this.tails, ...ofEpisodes, ...strangers, ...this.leftovers]
  }

  #placeOf(kind: Finding['kind'], key: EpisodeKey): string {
    return kind.startsWith('sidecar') || kind === 'pruned-without-sidecar' ? this.#layout.sidecar(key) : this.#layout.archive(key)
  }

  async #readOn(): Promise<void> {
    await this.index.readOn()
    await this.#prunes.refresh()
    const torn = await this.index.torn()
    this.tails = [...(torn ? [torn] : []), ...(await lookTails(this.#layout))]
  }

  /** @returns whether the archive is there */
  async #judge(key: EpisodeKey): Promise<boolean> {
    const rows = this.index.rowsOf(key)
    const facts = await lookEpisode(this.#layout, key, rows, this.#prunes.has(key), {
      hashes: this.hashes,
      uploading: this.#uploading,
    })
    const verdict = judgeEpisode(facts)
    const name = `${key.host}/${key.id}`
    if (verdict.faults.length > 0) this.ill.set(name, { key, rows: rows.length, facts, verdict })
    else this.ill.delete(name)
    return facts.archive !== undefined
  }

  /** A row whose id was edited speaks of an archive that is there: no loss. */
  #settleMisnamed(): void {
    const phantoms = [...this.ill.values()].flatMap((ill) => {
      const sha256 = hashOfPhantom(ill.facts)
      return sha256 === undefined ? [] : [{ ill, sha256 }]
    })
    const names = new Set(phantoms.map(({ ill }) => nameOf(ill.key)))
    const owners = new Map<string, EpisodeKey>()
    for (const { key, sha256 } of this.index.withHash(new Set(phantoms.map((one) => one.sha256))))
      if (!names.has(nameOf(key))) owners.set(sha256, key)
    for (const { key, facts } of this.ill.values()) {
      const sha256 = ownHash(facts)
      if (sha256 !== undefined) owners.set(sha256, key)
    }
    for (const { ill, sha256 } of phantoms) {
      const owner = owners.get(sha256)
      if (owner) this.ill.set(nameOf(ill.key), { ...ill, verdict: misnamed(owner) })
    }
  }

  /** A receiver at work is in the middle of something: what is a fault stays one. */
  async #settle(running: () => boolean): Promise<void> {
    const deadline = performance.now() + patienceMs
    const passes = ({ verdict }: Ill) => verdict.faults.some(({ kind }) => passing.has(kind))
    for (;;) {
      const open = [...this.ill.values()].filter(passes)
      if ((open.length === 0 && this.tails.length === 0) || !running() || performance.now() > deadline) return
      await wait(lookAgainMs)
      await this.#readOn()
      for (const { key } of open) await this.#judge(key)
    }
  }
}

function nameOf({ host, id }: EpisodeKey): string {
  return `${host}/${id}`
}

function* keysOf(shelves: readonly Shelf[], index: IndexPicture): Generator<EpisodeKey> {
  const seen = new Set<string>()
  for (const { host, archives, sidecars } of shelves)
    for (const id of new Set([...archives, ...sidecars])) {
      seen.add(`${host}/${id}`)
      yield { host, id }
    }
  for (const key of index.keys()) if (!seen.has(`${key.host}/${key.id}`)) yield key
}
