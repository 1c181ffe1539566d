/** gate-cache.json: the last good commit set, for a start while the forge is down. */
import { readFile } from 'node:fs/promises'
import { CommitSha, timestamp } from '@cis490/shared/ids.ts'
import { removeFile, replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { z } from 'zod'
import { CommitWindow } from '../core/window.ts'

const CacheFile = z.looseObject({
  repo: z.string(),
  branch: z.string(),
  window: z.int().positive(),
  fetched_at: z.iso.datetime(),
  commits: z.array(CommitSha).min(1),
})

export interface CachedSet {
  readonly window: CommitWindow
  /** Epoch milliseconds. */
  readonly fetchedAt: number
}

export class GateCache {
  readonly #path: string
  readonly #of: { readonly repo: string; readonly branch: string }
  readonly #log: Logger

  constructor(path: string, of: { readonly repo: string; readonly branch: string }, log: Logger) {
    this.#path = path
    this.#of = of
    this.#log = log
  }

  /** At start: what a crash inside of a replacement left. Never throws: the next save replaces it. */
  async removeLeftover(): Promise<void> {
    await removeFile(`${this.#path}.tmp`).catch(() => undefined)
  }

  /** @returns undefined where there is no file, or none that fits this repository, branch and window */
  async load(limit: number): Promise<CachedSet | undefined> {
    try {
      const file = CacheFile.parse(JSON.parse(await readFile(this.#path, 'utf8')))
      const { repo, branch } = this.#of
      // A full list of a smaller window may lack commits that today's window takes in.
      const tooShort = file.commits.length < limit && file.commits.length >= file.window
      if (file.repo !== repo || file.branch !== branch || tooShort) return undefined
      const window = CommitWindow.of(file.commits, limit)
      return window && { window, fetchedAt: Date.parse(file.fetched_at) }
    } catch (error) {
      if (!isErrno(error, 'ENOENT'))
        this.#log.warn({ path: this.#path, reason: messageOf(error).slice(0, 200) }, 'the stored commit set cannot be used')
      return undefined
    }
  }

  /** Never throws: without the file only a start during an outage is poorer. */
  async save({ window, fetchedAt }: CachedSet): Promise<void> {
    const file = { ...this.#of, window: window.limit, fetched_at: timestamp(fetchedAt), commits: window.commits }
    await replaceFile(this.#path, `${JSON.stringify(file)}\n`).catch((error: unknown) =>
      this.#log.warn({ path: this.#path, reason: messageOf(error) }, 'the commit set could not be stored'),
    )
  }
}
