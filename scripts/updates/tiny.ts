/** A small project with the outside of ours: a launcher, a lock file, a library that npm unpacks. Its agent is the real one, but where tests are in a hurry. */
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
exec "$CIS490_TRIAL_NODE" "$CIS490_TRIAL_PROGRAM/packages/agent/src/main.ts" "$@"
`

export interface TinyVersion {
  readonly version: number
  /** Commands of its agent that fail. */
  readonly broken?: readonly string[]
  /** It needs a library that only a registry has. */
  readonly needsRegistry?: boolean
}

/** Writes the files of a version into a folder, to be committed. */
export function writeTiny(dir: string, { version, broken = [], needsRegistry = false }: TinyVersion): void {
  const put = (path: string, text: string) => writeFileSync(join(dir, path), text)
  mkdirSync(join(dir, 'packages/agent/bin'), { recursive: true })
  put('packages/agent/bin/cis490-agent', launcher)
  chmodSync(join(dir, 'packages/agent/bin/cis490-agent'), 0o755)
  put('version', `${version}\n`)
  put('broken', broken.map((command) => `${command}\n`).join(''))
  put('.gitignore', 'node_modules/\n')
  const integrity = packPart(dir, version)
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
function packPart(dir: string, version: number): string {
  const folder = join(dir, 'package')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'cis490-part', version: `${version}.0.0` }))
  writeFileSync(join(folder, 'version'), `${version}\n`)
  execFileSync('tar', ['-czf', join(dir, 'part.tgz'), '-C', dir, 'package'])
  rmSync(folder, { recursive: true })
  return `sha512-${createHash('sha512')
    .update(readFileSync(join(dir, 'part.tgz')))
    .digest('base64')}`
}
