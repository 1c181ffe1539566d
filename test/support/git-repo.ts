/** A real git repository in a folder of its own. */
import { execFileSync } from 'node:child_process'

export class GitRepo {
  readonly path: string
  #count = 0

  constructor(path: string, branch = 'main') {
    this.path = path
    this.run('init', '--quiet', `--initial-branch=${branch}`, path)
  }

  /** @returns the hash of the new commit */
  commit(count = 1): string {
    for (let k = 0; k < count; k++) {
      const who = ['-c', 'user.name=someone', '-c', 'user.email=s@example.org', '-c', 'commit.gpgsign=false']
      this.run(...who, 'commit', '--quiet', '--allow-empty', '-m', `commit ${++this.#count}`)
    }
    return this.run('rev-parse', 'HEAD')
  }

  /** Hashes of the branch, newest first. */
  log(ref = 'HEAD'): string[] {
    return this.run('log', '--format=%H', ref).split('\n')
  }

  run(...args: string[]): string {
    return execFileSync('git', ['-C', args[0] === 'init' ? '/' : this.path, ...args], { encoding: 'utf8' }).trim()
  }
}
