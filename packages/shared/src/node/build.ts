/** What code this process runs: read once at start, because the checkout may move under a running daemon. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { version } from './version.ts'

/** Folder of the checkout that this program was started from. */
export const checkout = fileURLToPath(new URL('../../../..', import.meta.url)).replace(/\/$/, '')

export interface Build {
  readonly version: string
  /** Commit of the checkout; that of the bundle where there is no git history; null where nobody knows. */
  readonly commit: string | null
}

/** What scripts/bundle.sh leaves, for a tree that is exactly that commit. It goes with libraries that are installed anew. */
const bundleStamp = 'node_modules/.cis490-commit'

export const build: Build = { version, commit: commitOf(checkout) }

/** Git has the word wherever there is a repository: a bundle's libraries may lie in one that went on. */
export function commitOf(tree: string): string | null {
  // Not that of a repository around it.
  return existsSync(join(tree, '.git')) ? gitCommit(tree) : stampedCommit(tree)
}

function gitCommit(tree: string): string | null {
  try {
    const args = ['-c', `safe.directory=${tree}`, '-C', tree, 'rev-parse', 'HEAD']
    return execFileSync('git', args, { encoding: 'utf8', timeout: 5000, stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return null
  }
}

function stampedCommit(tree: string): string | null {
  try {
    return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/m.exec(readFileSync(join(tree, bundleStamp), 'utf8'))?.[0] ?? null
  } catch {
    return null
  }
}
