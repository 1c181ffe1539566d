/** All resumable uploads: those that are open, and the answers of those that ended. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type HostName, timestamp } from '@cis490/shared/ids.ts'
import type { EpisodeKey } from '../core/episode-key.ts'
import { EndedUploads, endedPerHost } from './ended-uploads.ts'
import type { HashPool } from './hashing/hash-pool.ts'
import { type RecoveredUploads, recoverUploads, type UploadsFound } from './recover-uploads.ts'
import { Upload, type UploadPaths } from './upload.ts'
import type { FinalAnswer, UploadState } from './upload-state.ts'

/** Names of expired uploads that are remembered, so that their clients can be told. */
const rememberedNames = 10_000

/** Room is kept free for an upload for as long after its last progress; later its bytes have to find their own. */
export const reservedMs = 3_600_000

/** Without progress for so long an upload makes way for a new one of its host that would be one too many. */
export const forgottenMs = 600_000

export interface UploadFolders {
  readonly uploads: string
  readonly incoming: string
}

/** What has to be the same for an upload to be gone on with: it ends up in the receipt. */
export type UploadFacts = Pick<UploadState, 'length' | 'stamp' | 'schema_version'> & { readonly sha256: string }

export type NewUpload = Omit<UploadState, 'offset' | 'created_at' | 'expires_at' | 'finished'>

export class Uploads implements AsyncDisposable {
  readonly recovered: RecoveredUploads
  readonly maxAgeMs: number
  readonly #folders: UploadFolders
  readonly #hashes: HashPool
  readonly #open = new Map<string, Upload>()
  /** Apart, because every creation and every count looks through the open ones. */
  readonly #ended: EndedUploads
  readonly #expired = new Set<string>()

  private constructor(folders: UploadFolders, maxAgeMs: number, found: UploadsFound, hashes: HashPool, keep: number) {
    const { states: _states, ended, expired, ...recovered } = found
    this.#hashes = hashes
    this.#folders = folders
    this.#ended = new EndedUploads({
      perHost: keep,
      unread: ended,
      path: (name) => this.#paths(name).state,
      make: (name, state) => this.#made(name, state),
    })
    for (const name of expired) this.#rememberExpired(name)
    this.maxAgeMs = maxAgeMs
    this.recovered = recovered
  }

  /**
   * Takes up what the folder holds: each part is cut to its synced offset, what is broken or has expired is removed.
   * The answers of ended uploads can be many, and nobody may ask for them: they wait for a question or the next expiry.
   * @param hashes who hashes what is appended
   * @param keep ended uploads of one host whose answers are kept
   */
  static async open(
    folders: UploadFolders,
    maxAgeMs: number,
    now: number,
    hashes: HashPool,
    keep = endedPerHost,
  ): Promise<Uploads> {
    const found = await recoverUploads(folders.uploads, now)
    const uploads = new Uploads(folders, maxAgeMs, found, hashes, keep)
    for (const [name, state] of found.states) {
      const upload = uploads.#made(name, state)
      if (upload.finished === undefined) uploads.#open.set(name, upload)
      else await uploads.#keepEnded(upload)
    }
    return uploads
  }

  /** @returns 'expired' for one that is known to have been there */
  find(name: string, now: number): Upload | 'expired' | undefined {
    const upload = this.#open.get(name) ?? this.#ended.get(name)
    if (this.#expired.has(name) || (upload && !upload.busy && upload.expiresAt <= now)) return 'expired'
    return upload?.gone ? undefined : upload
  }

  /** The open upload of the same bytes with the same claims, if there is one. */
  openFor({ host, id }: EpisodeKey, facts: UploadFacts, now: number): Upload | undefined {
    for (const upload of this.#open.values()) {
      const { state, gone, finished } = upload
      if (gone || finished) continue
      if (state.host !== host || state.id !== id || !isSame(state, facts)) continue
      if (upload.busy || upload.expiresAt > now) return upload
    }
    return undefined
  }

  /** Resolves when the upload is on the disk. It counts from the call on. */
  async create(facts: NewUpload, now: number): Promise<Upload> {
    const name = randomBytes(16).toString('hex')
    const times = { created_at: timestamp(now), expires_at: timestamp(now + this.maxAgeMs) }
    const upload = this.#made(name, { ...facts, offset: 0, ...times })
    this.#open.set(name, upload)
    try {
      await upload.begin()
      return upload
    } catch (error) {
      await this.remove(upload)
      throw error
    }
  }

  /** The caller has the upload's turn. */
  async remove(upload: Upload): Promise<void> {
    this.#forget(upload)
    await upload.discard()
  }

  /** Keeps the answer that ended the upload. The caller has its turn. */
  async finish(upload: Upload, answer: FinalAnswer, now: number): Promise<void> {
    await upload.finish(answer, now + this.maxAgeMs)
    this.#open.delete(upload.name)
    await this.#keepEnded(upload)
    await upload.dropPart()
  }

  async #keepEnded(upload: Upload): Promise<void> {
    this.#ended.add(upload)
    await this.#trim(upload.state.host)
  }

  async #trim(host: HostName): Promise<void> {
    await Promise.all(this.#ended.surplusOf(host).map((oldest) => this.remove(oldest)))
  }

  /** Makes room for a new upload of a host: its oldest one goes, if that is forgotten. @returns the one that went */
  async evict(host: HostName, now: number): Promise<Upload | undefined> {
    const [oldest] = this.#alive()
      .filter((one) => one.state.host === host && this.#idleMs(one, now) >= forgottenMs)
      .sort((a, b) => a.expiresAt - b.expiresAt)
    if (!oldest) return undefined
    this.#rememberExpired(oldest.name)
    await this.remove(oldest)
    return oldest
  }

  openOf(host: HostName): number {
    return this.#alive().filter(({ state }) => state.host === host).length
  }

  get open(): number {
    return this.#alive().length
  }

  /** Bytes that open uploads may still bring, without those that have stood still for long. */
  reserved(now: number): number {
    return this.#moving(now).reduce((sum, { state, taken }) => sum + state.length - taken, 0)
  }

  /** Bytes of the host's episodes that are on their way. */
  pendingOf(host: HostName, now: number): number {
    return this.#moving(now).reduce((sum, { state }) => sum + (state.host === host ? state.length : 0), 0)
  }

  /** Removes what nobody has touched for its whole age, and answers that are too many. @param signal ends it early. @returns how many had expired */
  async expire(now: number, signal?: AbortSignal): Promise<number> {
    await this.#ended.readAll(signal)
    let removed = 0
    for (const upload of [...this.#open.values(), ...this.#ended.values()]) {
      if (signal?.aborted) break
      if (upload.gone) this.#forget(upload)
      if (upload.gone || upload.busy || upload.expiresAt > now) continue
      this.#rememberExpired(upload.name)
      await this.remove(upload)
      removed += 1
    }
    for (const host of [...this.#ended.hosts()]) if (!signal?.aborted) await this.#trim(host)
    return removed
  }

  /** Waits until whoever has a turn has settled. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map(async (upload) => (await upload.turn())[Symbol.dispose]()))
  }

  /** What was lost stays in the map until the next expiry. */
  #alive(): Upload[] {
    return [...this.#open.values()].filter(({ gone }) => !gone)
  }

  #moving(now: number): Upload[] {
    return this.#alive().filter((upload) => this.#idleMs(upload, now) < reservedMs)
  }

  /** Since its last progress. */
  #idleMs(upload: Upload, now: number): number {
    return upload.busy ? 0 : now - (upload.expiresAt - this.maxAgeMs)
  }

  #forget(upload: Upload): void {
    this.#open.delete(upload.name)
    this.#ended.delete(upload)
  }

  #rememberExpired(name: string): void {
    this.#expired.add(name)
    const [oldest] = this.#expired
    if (this.#expired.size > rememberedNames && oldest !== undefined) this.#expired.delete(oldest)
  }

  #made(name: string, state: UploadState): Upload {
    return new Upload(name, this.#paths(name), state, this.#hashes.running(state.length))
  }

  #paths(name: string): UploadPaths {
    const { uploads, incoming } = this.#folders
    return { part: join(uploads, `${name}.part`), state: join(uploads, `${name}.json`), sidecar: join(incoming, `${name}.json`) }
  }
}

function isSame(state: UploadState, facts: UploadFacts): boolean {
  return (
    state.sha256 === facts.sha256 &&
    state.length === facts.length &&
    state.stamp === facts.stamp &&
    state.schema_version === facts.schema_version
  )
}
