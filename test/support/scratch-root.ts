/** This machine's own file system under a layer that takes every change: what an installer does can be done whole, seen, and thrown away. */
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

// No systemd runs in it, as in a chroot: /run is empty.
const enter = `set -e
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
mkdir "$1/root/run/lock"
exec chroot "$1/root" /bin/bash -c "$2"`

export class ScratchRoot implements Disposable {
  // In memory where that is possible: thousands of small files come and go.
  readonly #folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'cis490-root-'))

  /** Needs root and overlay mounts. */
  static possible(): boolean {
    if (process.getuid?.() !== 0) return false
    using root = new ScratchRoot()
    return root.run('command -v systemctl setpriv useradd flock').status === 0
  }

  constructor() {
    for (const name of ['upper', 'work', 'root']) mkdirSync(join(this.#folder, name))
  }

  /** In a mount and a process space of its own; nothing that it starts lives on. */
  run(command: string): SpawnSyncReturns<string> {
    const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', HOME: '/nonexistent' }
    const args = ['--mount', '--pid', '--fork', '--kill-child', '--', '/bin/bash', '-c', enter, 'bash', this.#folder, command]
    return spawnSync('unshare', args, { encoding: 'utf8', env, timeout: 60_000 })
  }

  /** This repository's files as they are, at a path of the root; its libraries are those of the repository. */
  addCheckout(path: string): void {
    const to = this.path(path)
    const list = ['-c', `safe.directory=${repository}`, '-C', repository, 'ls-files', '-coz', '--exclude-standard']
    const files = execFileSync('git', list, { encoding: 'utf8' }).split('\0')
    for (const file of files) {
      // Programs, their units and what the documents say: no tests.
      if (!/^(packages|scripts|etc)\/|^[^/]+\.(md|json)$/.test(file) || !existsSync(join(repository, file))) continue
      mkdirSync(dirname(join(to, file)), { recursive: true })
      cpSync(join(repository, file), join(to, file))
    }
    symlinkSync(join(repository, 'node_modules'), join(to, 'node_modules'))
  }

  /** Where a path of the root lies that was changed there. */
  path(path: string): string {
    return join(this.#folder, 'upper', path)
  }

  /** Every file and link that was made or changed, without those below `prefixes`; a removed one is there as a device. */
  changes(...prefixes: string[]): string[] {
    const upper = join(this.#folder, 'upper')
    return readdirSync(upper, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(upper.length))
      .filter((path) => !prefixes.some((prefix) => path.startsWith(prefix)))
      .toSorted()
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
