/** The commits of a branch from a clone on this machine. */
import { realpath } from 'node:fs/promises'
import { CommitSha } from '@cis490/shared/ids.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { git } from '@cis490/shared/node/git.ts'

export interface Clone {
  readonly path: string
  /** Written in the configuration, not found by itself. */
  readonly configured: boolean
}

export interface GitCommits {
  readonly commits: CommitSha[]
  /** Which name of the branch was there. */
  readonly ref: string
}

/**
 * Newest first. Takes the branch, then the remote's copy of it, then HEAD.
 * HEAD only where somebody named this clone on purpose: a clone that was merely found may stand on anything.
 * @throws when git fails, no such branch is there, or it has no commit
 */
export async function gitCommits(clone: Clone, branch: string, count: number): Promise<GitCommits> {
  // git trusts a clone of another owner only by its real path: no symbolic link, no slash at the end.
  const path = await realpath(clone.path)
  const names = [`refs/heads/${branch}`, `refs/remotes/origin/${branch}`, ...(clone.configured ? ['HEAD'] : [])]
  for (const ref of names) {
    if (!(await exists(path, ref))) continue
    const commits = hashes(await git(path, ['log', '--format=%H', '-n', String(count), ref, '--']))
    if (commits.length > 0) return { commits, ref }
  }
  throw new Error(`${clone.path} has no branch ${branch}, or cannot be read`)
}

/** What `to` has and `from` has not, newest first. Either is anything that git takes for a commit. @throws when one is unknown, or git fails */
export async function gitRange(clone: Clone, from: string, to: string): Promise<CommitSha[]> {
  const path = await realpath(clone.path)
  for (const end of [from, to]) if (!(await exists(path, end))) throw new Error(`${clone.path} knows no commit ${end}`)
  return hashes(await git(path, ['rev-list', '--end-of-options', `${from}..${to}`, '--']))
}

function hashes(text: string): CommitSha[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => CommitSha.parse(line))
}

async function exists(path: string, ref: string): Promise<boolean> {
  return git(path, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`]).then(
    () => true,
    (error: unknown) => {
      // Exit 1 without a word is git's "no such name"; anything else (no repository, no permission) is a fault of its own.
      if (error instanceof Error && 'code' in error && error.code === 1) return false
      // The first line of the error is the command; git's own word follows it.
      throw new Error(/^fatal: .*/m.exec(messageOf(error))?.[0] ?? messageOf(error), { cause: error })
    },
  )
}
