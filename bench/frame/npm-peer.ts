/** Peers that npm has: installed on demand into a cache of the benchmark's own, never a dependency of the product. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '@cis490/shared/node/errno.ts'

const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'cis490-bench')

/**
 * @param packages with their version, like `@tus/server@2.4.5`
 * @returns the folder whose node_modules holds them, or why they could not be had
 */
export async function npmPeer(name: string, packages: readonly string[]): Promise<{ folder: string } | { reason: string }> {
  const folder = join(cache, name)
  const there = packages.every((one) => existsSync(join(folder, 'node_modules', one.slice(0, one.lastIndexOf('@')))))
  if (there) return { folder }
  const args = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--no-save', ...packages]
  try {
    await mkdir(folder, { recursive: true })
    await promisify(execFile)('npm', args, { timeout: 300_000 })
    return { folder }
  } catch (error) {
    return { reason: `could not be installed (${messageOf(error).split('\n')[0]}); npm ${args.join(' ')}` }
  }
}
