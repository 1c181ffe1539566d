/** All resumable uploads: those that are open, and the answers of those that ended. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type HostName, timestamp } from '@cis490/shared/ids.ts'
import type { EpisodeKey } from '../core/episode-key.ts'
import { type RecoveredUploads, recoverUploads } from './recover-uploads.ts'
import { Upload, type UploadPaths } from './upload.ts'
import type { UploadState } from './upload-state.ts'

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
  readonly #all = new Map<string, Upload>()
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
    for (const [name, state] of states) uploads.#all.set(name, new Upload(name, uploads.#paths(name), state))
    for (const name of expired) uploads.#rememberExpired(name)
    return uploads
  }

  /** @returns 'expired' for one that is known to have been there */
  find(name: string, now: number): Upload | 'expired' | undefined {
    const upload = this.#all.get(name)
    if (this.#expired.has(name) || (upload && !upload.busy && upload.expiresAt <= now)) return 'expired'
    return upload?.gone ? undefined : upload
  }

  /** The open upload of the same bytes, if there is one. */
  openFor({ host, id }: EpisodeKey, sha256: string, length: number, now: number): Upload | undefined {
    for (const upload of this.#open()) {
      const { state } = upload
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
    this.#all.set(name, upload)
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
    this.#all.delete(upload.name)
    await upload.discard()
  }

  openOf(host: HostName): number {
    return this.#open().filter(({ state }) => state.host === host).length
  }

  get open(): number {
    return this.#open().length
  }

  /** Bytes that open uploads may still bring. */
  get reserved(): number {
    return this.#open().reduce((sum, { state, taken }) => sum + state.length - taken, 0)
  }

  /** Removes what nobody has touched for its whole age. @returns how many */
  async expire(now: number): Promise<number> {
    let removed = 0
    for (const upload of [...this.#all.values()]) {
      if (upload.gone) this.#all.delete(upload.name)
      if (upload.gone || upload.busy || upload.expiresAt > now) continue
      this.#rememberExpired(upload.name)
      await this.remove(upload)
      removed += 1
    }
    return removed
  }

  /** Waits until whoever has a turn has settled. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all.values()].map(async (upload) => (await upload.turn())[Symbol.dispose]()))
  }

  #open(): Upload[] {
    return [...this.#all.values()].filter(({ finished, gone }) => finished === undefined && !gone)
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
