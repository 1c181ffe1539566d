/** `require_signed`: a commit that a known key has signed is taken. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Trial } from './trial.ts'

/** Needs ssh-keygen. @returns findings */
export async function trySigned(trial: Trial): Promise<string[]> {
  const key = join(trial.dir, 'key')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  writeFileSync(join(trial.dir, 'signers'), `trial@cis490.invalid ${readFileSync(`${key}.pub`, 'utf8')}`)
  trial.git(trial.checkout, 'config', 'gpg.ssh.allowedSignersFile', join(trial.dir, 'signers'))
  trial.publish()
  const author = join(trial.dir, 'author')
  const sign = ['-c', 'gpg.format=ssh', '-c', `user.signingkey=${key}`, 'commit', '--quiet', '--amend', '--no-edit', '-S']
  trial.git(author, ...sign)
  trial.git(author, 'push', '--quiet', '--force', trial.forge, 'HEAD:main')
  const takeBack = trial.configureMore('[update]\nrequire_signed = true\n')
  const { code, text } = await trial.update()
  takeBack()
  return [...(code === 0 ? [] : [text]), ...trial.faults([trial.head(author)])]
}
