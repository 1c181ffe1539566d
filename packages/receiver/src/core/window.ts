/** The last N commits of the branch: what the gate compares stamps with. Never changed, only replaced as a whole. */
import type { CommitSha } from '@cis490/shared/ids.ts'

export class CommitWindow {
  /** Newest first, without duplicates, at most `limit`. */
  readonly commits: readonly CommitSha[]
  readonly head: CommitSha
  /** The configured size; a young branch has fewer commits. */
  readonly limit: number
  readonly #positions: ReadonlyMap<CommitSha, number>

  private constructor(commits: readonly CommitSha[], head: CommitSha, limit: number) {
    this.commits = Object.freeze([...commits])
    this.head = head
    this.limit = limit
    this.#positions = new Map(commits.map((commit, index) => [commit, index + 1]))
  }

  /** @returns undefined for an empty list: a window without a head is no window */
  static of(commits: Iterable<CommitSha>, limit: number): CommitWindow | undefined {
    const distinct = [...new Set(commits)].slice(0, limit)
    const head = distinct[0]
    return head === undefined ? undefined : new CommitWindow(distinct, head, limit)
  }

  get size(): number {
    return this.commits.length
  }

  /** @returns 1 for the head, undefined outside the window */
  position(commit: CommitSha): number | undefined {
    return this.#positions.get(commit)
  }

  sameAs(other: CommitWindow | undefined): boolean {
    return other !== undefined && other.size === this.size && this.commits.every((commit, k) => commit === other.commits[k])
  }
}
