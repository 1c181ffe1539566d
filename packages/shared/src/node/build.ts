/** What code this process runs: read once at start, because the checkout may move under a running daemon. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import packageJson from '../../package.json' with { type: 'json' }

/** Folder of the checkout that this program was started from. */
export const checkout = fileURLToPath(new URL('../../../..', import.meta.url)).replace(/\/$/, '')

export interface Build {
  readonly version: string
  /** Commit of the checkout, or null where there is no git history. */
  readonly commit: string | null
}

export const build: Build = { version: packageJson.version, commit: readCommit() }

function readCommit(): string | null {
  try {
    const args = ['-c', `safe.directory=${checkout}`, '-C', checkout, 'rev-parse', 'HEAD']
    return execFileSync('git', args, { encoding: 'utf8', timeout: 5000, stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return null
  }
}
