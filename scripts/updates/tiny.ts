/** A small project with the outside of ours: launchers, a lock file, a library that npm unpacks. Its agent is the real one, but where tests are in a hurry; its receiver tells which commit it runs. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Fails where the library is not that of this version; commands that the file `broken` names end with 1, as Node does for a program that it cannot load. */
const launcher = `#!/bin/bash -p
root=$(readlink -f "$(dirname "$(readlink -f "$0")")/../../..")
if ! cmp -s "$root/version" "$root/node_modules/cis490-part/version"; then
  echo "half a tree: $root" >&2
  exit 70
fi
if grep -qx "$1" "$root/broken"; then
  echo "this version cannot $1" >&2
  exit 1
fi
case "$CIS490_TRIAL_BRIEF $1" in
"yes doctor") echo "OK - a stand-in | fail=0" ;;
"yes pause") exit 0 ;;
"yes update-allowed") exit 3 ;;
esac
case $0 in
*receiver) exec "$CIS490_TRIAL_NODE" "$root/receiver.mjs" "$@" ;;
*fleet) exit 0 ;;
esac
exec "$CIS490_TRIAL_NODE" "$CIS490_TRIAL_PROGRAM/packages/agent/src/main.ts" "$@"
`

/** As the real one: the commit is read once, at the start. With `dumb` among the broken it runs and does not tell it. */
const receiver = `import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
const [word, , config] = process.argv.slice(2)
const port = /^ops_listen = "127.0.0.1:(\\d+)"$/m.exec(readFileSync(config, 'utf8'))[1]
if (word === 'serve') {
  const commit = execFileSync('git', ['-C', import.meta.dirname, 'rev-parse', 'HEAD'], { encoding: 'utf8' }).trim()
  const dumb = readFileSync(import.meta.dirname + '/broken', 'utf8').includes('dumb')
  const told = 'cis490_build_info{version="1",commit="' + commit + '"} 1\\n'
  createServer((_, answer) => answer.end(dumb ? 'no metrics today' : told)).listen(port, '127.0.0.1', () =>
    console.log('{"event":"up"}'),
  )
}
`

export interface TinyVersion {
  readonly version: number
  /** Commands of its agent that fail. */
  readonly broken?: readonly string[]
  /** MiB of its library. */
  readonly bulk?: number
  /** It needs a library that only a registry has. */
  readonly needsRegistry?: boolean
}

/** Writes the files of a version into a folder, to be committed. */
export function writeTiny(dir: string, { version, broken = [], bulk = 0, needsRegistry = false }: TinyVersion): void {
  const put = (path: string, text: string) => writeFileSync(join(dir, path), text)
  for (const name of ['agent', 'receiver', 'fleet']) {
    mkdirSync(join(dir, `packages/${name}/bin`), { recursive: true })
    put(`packages/${name}/bin/cis490-${name}`, launcher)
    chmodSync(join(dir, `packages/${name}/bin/cis490-${name}`), 0o755)
  }
  put('receiver.mjs', receiver)
  put('version', `${version}\n`)
  put('broken', broken.map((command) => `${command}\n`).join(''))
  put('.gitignore', 'node_modules/\n')
  const integrity = packPart(dir, version, bulk)
  const dependencies = { 'cis490-part': 'file:part.tgz', ...(needsRegistry && { 'cis490-absent': '1.0.0' }) }
  put('package.json', JSON.stringify({ name: 'tiny', version: '1.0.0', private: true, dependencies }))
  const packages = {
    '': { name: 'tiny', version: '1.0.0', dependencies },
    ...(needsRegistry && { 'node_modules/cis490-absent': { version: '1.0.0', integrity } }),
    'node_modules/cis490-part': { version: `${version}.0.0`, resolved: 'file:part.tgz', integrity },
  }
  put('package-lock.json', JSON.stringify({ name: 'tiny', version: '1.0.0', lockfileVersion: 3, requires: true, packages }))
}

/** @returns its integrity, as a lock file has it */
function packPart(dir: string, version: number, bulk: number): string {
  const folder = join(dir, 'package')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'cis490-part', version: `${version}.0.0` }))
  writeFileSync(join(folder, 'version'), `${version}\n`)
  for (let k = 0; k < bulk; k += 1) writeFileSync(join(folder, `bulk-${k}`), Buffer.alloc(1024 * 1024, k))
  execFileSync('tar', ['-czf', join(dir, 'part.tgz'), '-C', dir, 'package'])
  rmSync(folder, { recursive: true })
  return `sha512-${createHash('sha512')
    .update(readFileSync(join(dir, 'part.tgz')))
    .digest('base64')}`
}
