/** All resumable uploads: those that are open, and the answers of those that ended. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type HostName, timestamp } from '@cis490/shared/ids.ts'
import type { EpisodeKey } from '../core/episode-key.ts'
import { type RecoveredUploads, recoverUploads } from './recover-uploads.ts'
import { Upload, type UploadPaths } from './upload.ts'
import type { FinalAnswer, UploadState } from './upload-state.ts'

/** Names of expired uploads that are remembered, so that their clients can be told. */
const rememberedNames = 10_000

export interface UploadFolders {
  readonly uploads: string
  readonly incoming: string
}

export type NewUpload = Omit<UploadState, 'offset' | 'created_at' | 'expires_at' | 'finished'>

export class Uploads implements AsyncDisposable {
  readonly recovered: RecoveredUploads
  readonly maxAgeMs: number
  readonly #folders: UploadFolders
  readonly #open = new Map<string, Upload>()
  /** Apart, because every creation and every count looks through the open ones. */
  readonly #ended = new Map<string, Upload>()
  readonly #expired = new Set<string>()

  private constructor(folders: UploadFolders, maxAgeMs: number, recovered: RecoveredUploads) {
    this.#folders = folders
    this.maxAgeMs = maxAgeMs
    this.recovered = recovered
  }

  /** Takes up what the folder holds: each part is cut to its synced offset, what is broken or has expired is removed. */
  static async open(folders: UploadFolders, maxAgeMs: number, now: number): Promise<Uploads> {
    const { states, expired, ...recovered } = await recoverUploads(folders.uploads, now)
    const uploads = new Uploads(folders, maxAgeMs, recovered)
    for (const [name, state] of states) {
      const upload = new Upload(name, uploads.#paths(name), state)
      uploads.#group(upload).set(name, upload)
    }
    for (const name of expired) uploads.#rememberExpired(name)
    return uploads
  }

  /** @returns 'expired' for one that is known to have been there */
  find(name: string, now: number): Upload | 'expired' | undefined {
    const upload = this.#open.get(name) ?? this.#ended.get(name)
    if (this.#expired.has(name) || (upload && !upload.busy && upload.expiresAt <= now)) return 'expired'
    return upload?.gone ? undefined : upload
  }

  /** The open upload of the same bytes, if there is one. */
  openFor({ host, id }: EpisodeKey, sha256: string, length: number, now: number): Upload | undefined {
    for (const upload of this.#open.values()) {
      const { state, gone, finished } = upload
      if (gone || finished) continue
      if (state.host !== host || state.id !== id || state.sha256 !== sha256 || state.length !== length) continue
      if (upload.busy || upload.expiresAt > now) return upload
    }
    return undefined
  }

  /** Resolves when the upload is on the disk. It counts from the call on. */
  async create(facts: NewUpload, now: number): Promise<Upload> {
    const name = randomBytes(16).toString('hex')
    const times = { created_at: timestamp(now), expires_at: timestamp(now + this.maxAgeMs) }
    const upload = new Upload(name, this.#paths(name), { ...facts, offset: 0, ...times })
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
    this.#group(upload).delete(upload.name)
    await upload.discard()
  }

  /** Keeps the answer that ended the upload. The caller has its turn. */
  async finish(upload: Upload, answer: FinalAnswer, now: number): Promise<void> {
    await upload.finish(answer, now + this.maxAgeMs)
    this.#open.delete(upload.name)
    this.#ended.set(upload.name, upload)
  }

  openOf(host: HostName): number {
    return this.#alive().filter(({ state }) => state.host === host).length
  }

  get open(): number {
    return this.#alive().length
  }

  /** Bytes that open uploads may still bring. */
  get reserved(): number {
    return this.#alive().reduce((sum, { state, taken }) => sum + state.length - taken, 0)
  }

  /** Removes what nobody has touched for its whole age. @returns how many */
  async expire(now: number): Promise<number> {
    let removed = 0
    for (const upload of [...this.#open.values(), ...this.#ended.values()]) {
      if (upload.gone) this.#group(upload).delete(upload.name)
      if (upload.gone || upload.busy || upload.expiresAt > now) continue
      this.#rememberExpired(upload.name)
      await this.remove(upload)
      removed += 1
    }
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

  #group({ finished }: Upload): Map<string, Upload> {
    return finished === undefined ? this.#open : this.#ended
  }

  #rememberExpired(name: string): void {
    this.#expired.add(name)
    const [oldest] = this.#expired
    if (this.#expired.size > rememberedNames && oldest !== undefined) this.#expired.delete(oldest)
  }

  #paths(name: string): UploadPaths {
    const { uploads, incoming } = this.#folders
    return { part: join(uploads, `${name}.part`), state: join(uploads, `${name}.json`), sidecar: join(incoming, `${name}.json`) }
  }
}
