/** `A..B` as a list of commits, from the same sources as the gate's window: the forge, or where there is none or it is away, git. */
import { existsSync } from 'node:fs'
import type { CommitSha } from '@cis490/shared/ids.ts'
import { readSecret } from '@cis490/shared/node/config-file.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { VersionGateConfig } from './config.ts'
import { Forgejo } from './forgejo.ts'
import { type Clone, gitRange } from './git-log.ts'

export interface ResolvedRange {
  /** What B has and A has not, newest first; empty where A has all of B. */
  readonly commits: readonly CommitSha[]
  readonly source: 'api' | 'git'
}

/** @throws Error that says of each source why it could not tell */
export async function commitRange(
  config: VersionGateConfig,
  { from, to }: { from: string; to: string },
  foundClone = '/opt/cis490',
): Promise<ResolvedRange> {
  const failures: string[] = []
  if (config.forgejo_url !== '')
    try {
      return { commits: await fromForge(config, from, to), source: 'api' }
    } catch (error) {
      failures.push(`the forge: ${messageOf(error)}`)
    }
  const clone: Clone = { path: config.repo_path || foundClone, configured: config.repo_path !== '' }
  if (clone.configured || existsSync(`${clone.path}/.git`))
    try {
      return { commits: await gitRange(clone, from, to), source: 'git' }
    } catch (error) {
      failures.push(`git: ${messageOf(error)}`)
    }
  if (failures.length === 0) failures.push('neither version_gate.forgejo_url nor version_gate.repo_path is configured')
  throw new Error(failures.join('; '))
}

async function fromForge(config: VersionGateConfig, from: string, to: string): Promise<CommitSha[]> {
  const { forgejo_url: url, repo_owner: owner, repo_name: name, branch, auth_token_file: tokenFile } = config
  const token = tokenFile === '' ? undefined : readSecret(tokenFile, 'version_gate.auth_token_file')
  // A comparison is one large answer, not a small one every few seconds.
  await using forge = new Forgejo({ url, owner, name, branch, timeoutMs: 15_000, ...(token && { token }) })
  return await forge.between(from, to)
}
