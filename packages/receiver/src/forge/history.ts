/** Keeps the commit set of the branch current: one refresh at a time, and a failure never takes away what is there. */
import type { GateSource } from '@cis490/shared/gate-answer.ts'
import type { CommitSha } from '@cis490/shared/ids.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import type { CommitWindow } from '../core/window.ts'
import { type CommitSet, CommitSources } from './commit-sources.ts'
import type { VersionGateConfig } from './config.ts'
import type { Forgejo } from './forgejo.ts'
import { GateCache } from './gate-cache.ts'
import { within } from './within.ts'

export interface HistoryOptions {
  readonly config: VersionGateConfig
  readonly token?: string | undefined
  readonly cachePath: string
  readonly log: Logger
  readonly now?: (() => number) | undefined
  /** A checkout that is used where no repo_path is configured. */
  readonly foundClone?: string | undefined
  /** One request to the forge. */
  readonly timeoutMs?: number | undefined
}

export interface HistoryState {
  readonly window?: CommitWindow
  readonly source?: GateSource
  readonly fetchedAt?: number
  /** Refreshes that failed in a row. */
  readonly failures: number
}

const startWaitMs = 5000
const askerWaitMs = 2000
const earlyEveryMs = 1000
const fallBackAfter = 3

export class CommitHistory implements AsyncDisposable {
  readonly #options: HistoryOptions
  readonly #forge: Forgejo | undefined
  readonly #cache: GateCache
  readonly #sources: CommitSources
  readonly #now: () => number
  #set: CommitSet | undefined
  #failures = 0
  #lastComplaint: string | undefined
  #running: Promise<void> | undefined
  #earlyAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #closed = false

  private constructor(options: HistoryOptions, forge: Forgejo | undefined) {
    const { config } = options
    const { forgejo_url: url, repo_owner: owner, repo_name: name, branch, window: limit } = config
    const clone = { path: config.repo_path || (options.foundClone ?? '/opt/cis490'), configured: config.repo_path !== '' }
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#forge = forge
    this.#cache = new GateCache(options.cachePath, { repo: url ? `${owner}/${name}` : clone.path, branch }, options.log)
    this.#sources = new CommitSources({ forge: this.#forge, clone, cache: this.#cache, branch, limit, now: this.#now })
  }

  /** Waits for the first attempt, at most 5 s, so that with a healthy forge there is a set before the first request. Never throws for a source. */
  static async start(options: HistoryOptions): Promise<CommitHistory> {
    const history = new CommitHistory(options, await forgeOf(options))
    await history.#cache.removeLeftover()
    const first = history.#refresh()
    if (!(await within(startWaitMs, first))) {
      const stored = await history.#sources.fromDisk()
      if (stored && !history.#set) await history.#adopt(stored)
    }
    history.#schedule(history.#pause())
    return history
  }

  current(): HistoryState {
    const { window, source, fetchedAt } = this.#set ?? {}
    return {
      ...(window && { window }),
      ...(source && { source }),
      ...(fetchedAt !== undefined && { fetchedAt }),
      failures: this.#failures,
    }
  }

  /** A stamp that is not in the set may have been pushed a second ago: forces a refresh, at most one a second, and waits for it at most 2 s. */
  async refreshFor(commit: CommitSha): Promise<void> {
    const unknown = () => this.#set?.window.position(commit) === undefined
    const look = async () => {
      // A refresh that runs already may have read the head before the push.
      if (this.#running) await this.#running
      if (unknown() && this.#mayHurry()) await this.#hurry()
    }
    if (unknown()) await within(askerWaitMs, look())
  }

  /** A push was announced. Rate-limited to one a second; one that comes earlier is done when the second is over. */
  async refreshNow(): Promise<void> {
    if (this.#running) await this.#running
    if (this.#mayHurry()) await this.#hurry()
    else this.#schedule(earlyEveryMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#forge?.[Symbol.asyncDispose]()
    await this.#running
  }

  #mayHurry(): boolean {
    const since = this.#now() - this.#earlyAt
    return since >= earlyEveryMs || since < 0
  }

  #hurry(): Promise<void> {
    this.#earlyAt = this.#now()
    return this.#refresh()
  }

  /** 10 % of jitter: receivers that started together drift apart. */
  #pause(): number {
    return this.#options.config.refresh * (0.9 + 0.2 * Math.random())
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer)
    if (this.#closed) return
    this.#timer = setTimeout(() => void this.#refresh().finally(() => this.#schedule(this.#pause())), ms).unref()
  }

  #refresh(): Promise<void> {
    this.#running ??= this.#attempt().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #attempt(): Promise<void> {
    if (this.#closed) return
    try {
      const set = await this.#sources.ask(this.#set)
      if (this.#failures > 0)
        this.#options.log.info({ source: set.source, failures: this.#failures }, 'the commit source answers again')
      this.#failures = 0
      this.#lastComplaint = undefined
      await this.#adopt(set)
    } catch (error) {
      if (!this.#closed) await this.#failed(error)
    }
  }

  async #failed(error: unknown): Promise<void> {
    this.#failures++
    if (this.#failures === 1) this.#complain('the commit source cannot be asked', error)
    if (this.#set && (this.#failures < fallBackAfter || !this.#forge)) return
    try {
      await this.#adopt(await this.#sources.fallBack(this.#set))
    } catch (reason) {
      this.#complain('there is no fallback for the commit source', reason)
    }
  }

  async #adopt(set: CommitSet): Promise<void> {
    const before = this.#set
    this.#set = set
    if (before?.source !== set.source) this.#announce(set)
    else if (before.window.head !== set.window.head)
      this.#options.log.info({ source: set.source, head: set.window.head, size: set.window.size }, 'the head of the branch moved')
    if (set.source !== 'disk-cache' && !set.window.sameAs(before?.window)) await this.#cache.save(set)
  }

  #announce({ source, ref, window, fetchedAt }: CommitSet): void {
    const fields = {
      event: 'gate-source',
      source,
      ref,
      head: window.head,
      size: window.size,
      age_s: Math.round((this.#now() - fetchedAt) / 1000),
    }
    const degraded = source === 'git-fallback' || source === 'disk-cache'
    this.#options.log[degraded ? 'warn' : 'info'](fields, 'commit set taken from a new source')
  }

  /** Once for each reason, not once for each refresh. */
  #complain(message: string, error: unknown): void {
    const reason = messageOf(error).split('\n')[0]?.slice(0, 300)
    if (reason === this.#lastComplaint) return
    this.#lastComplaint = reason
    this.#options.log.warn({ source: this.#set?.source, failures: this.#failures, reason }, message)
  }
}

/** Its HTTP client is not loaded where there is no forge. */
async function forgeOf({ config, token, timeoutMs }: HistoryOptions): Promise<Forgejo | undefined> {
  const { forgejo_url: url, repo_owner: owner, repo_name: name, branch } = config
  if (!url) return undefined
  const { Forgejo } = await import('./forgejo.ts')
  return new Forgejo({ url, owner, name, branch, ...(token && { token }), ...(timeoutMs && { timeoutMs }) })
}
