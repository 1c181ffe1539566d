/** Where a commit set can come from, and what each source is asked for. */
import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import type { GateSource } from '@cis490/shared/gate-answer.ts'
import type { CommitSha } from '@cis490/shared/ids.ts'
import { CommitWindow } from '../core/window.ts'
import type { Forgejo } from './forgejo.ts'
import type { GateCache } from './gate-cache.ts'
import { type Clone, gitCommits } from './git-log.ts'
import { refMarks } from './ref-marks.ts'

export interface CommitSet {
  readonly window: CommitWindow
  readonly source: GateSource
  /** Epoch milliseconds of the last answer that confirmed this set, or of the last look that found the clone as it was. */
  readonly fetchedAt: number
  /** Epoch milliseconds of the last complete list. */
  readonly listedAt: number
  /** git: which name of the branch was read. */
  readonly ref?: string
}

export interface SourceOptions {
  /** Left out: git is the source, not the fallback. */
  readonly forge: Forgejo | undefined
  readonly clone: Clone
  readonly cache: GateCache
  readonly branch: string
  readonly limit: number
  readonly now: () => number
}

/** A head that did not move needs no list, but after this time it is fetched all the same. */
const relistAfterMs = 600_000

export class CommitSources {
  readonly #options: SourceOptions
  /** What git said last, and the marks of the clone from before it was asked. */
  #fromClone: { readonly set: CommitSet; readonly marks: string } | undefined

  constructor(options: SourceOptions) {
    this.#options = options
  }

  /** Asks the forge, or git where no forge is configured. @throws when it cannot tell */
  async ask(present: CommitSet | undefined): Promise<CommitSet> {
    const { forge, limit, now } = this.#options
    if (!forge) return this.#fromGit('git')
    const head = await forge.branchHead()
    const at = now()
    if (present?.source === 'api' && present.window.head === head && at - present.listedAt < relistAfterMs)
      return { ...present, fetchedAt: at }
    return this.#set(await forge.commits(head, limit), 'api')
  }

  /**
   * What is left when the forge cannot be asked: git, and at a start without any set the disk.
   * Git replaces a present set only if it knows the present head: a clone that is behind would refuse current hosts.
   * @throws when nothing better was found, with the reason
   */
  async fallBack(present: CommitSet | undefined): Promise<CommitSet> {
    if (present) {
      const found = await this.#fromGit('git-fallback')
      if (found.window.position(present.window.head) !== undefined) return found
      throw new Error(`${this.#options.clone.path} does not know the present head: it is behind`)
    }
    try {
      return await this.#fromGit(this.#options.forge ? 'git-fallback' : 'git')
    } catch (error) {
      const stored = await this.fromDisk()
      if (stored) return stored
      throw error
    }
  }

  async fromDisk(): Promise<CommitSet | undefined> {
    const stored = await this.#options.cache.load(this.#options.limit)
    return stored && { ...stored, source: 'disk-cache', listedAt: stored.fetchedAt }
  }

  async #fromGit(source: 'git' | 'git-fallback'): Promise<CommitSet> {
    const { clone, branch, limit, now } = this.#options
    if (!clone.configured && !existsSync(`${clone.path}/.git`))
      throw new Error('no repo_path is configured and no clone was found')
    const marks = await marksOf(clone, branch)
    const known = this.#fromClone
    const at = now()
    if (known && known.marks === marks && at - known.set.listedAt < relistAfterMs) return { ...known.set, source, fetchedAt: at }
    const { commits, ref } = await gitCommits(clone, branch, limit)
    const set = { ...this.#set(commits, source), ref }
    // HEAD may follow a branch whose marks nobody took.
    this.#fromClone = marks === undefined || ref === 'HEAD' ? undefined : { set, marks }
    return set
  }

  #set(commits: readonly CommitSha[], source: GateSource): CommitSet {
    const window = CommitWindow.of(commits, this.#options.limit)
    if (!window) throw new Error('an empty list of commits')
    const at = this.#options.now()
    return { window, source, fetchedAt: at, listedAt: at }
  }
}

/** @returns undefined where git has to be asked, for the words of its failure too */
async function marksOf(clone: Clone, branch: string): Promise<string | undefined> {
  try {
    return refMarks(await realpath(clone.path), branch)
  } catch {
    return undefined
  }
}
