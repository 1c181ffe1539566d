import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commitOf } from '@cis490/shared/node/build.ts'
import { expect, onTestFinished, test } from 'vitest'

const stamp = 'a1'.repeat(20)

function tree(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cis490-build-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  mkdirSync(join(dir, 'inner/node_modules'), { recursive: true })
  return dir
}

function commit(dir: string): string {
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@cis490.invalid', '-c', 'commit.gpgsign=false']
  execFileSync('git', ['init', '--quiet', dir])
  execFileSync('git', ['-C', dir, ...who, 'commit', '--quiet', '--allow-empty', '-m', 'one'])
  return execFileSync('git', ['-C', dir, 'rev-parse', 'HEAD'], { encoding: 'utf8' }).trim()
}

test('an unpacked bundle is the commit of its stamp; without one, or with half of one, nobody knows', () => {
  const bundle = join(tree(), 'inner')
  expect(commitOf(bundle)).toBeNull()
  writeFileSync(join(bundle, 'node_modules/.cis490-commit'), stamp.slice(0, 39))
  expect(commitOf(bundle)).toBeNull()
  writeFileSync(join(bundle, 'node_modules/.cis490-commit'), `${stamp}\n`)
  expect(commitOf(bundle)).toBe(stamp)
})

test('a bundle in a folder of another repository is not a commit of that one', () => {
  const dir = tree()
  commit(dir)
  expect(commitOf(join(dir, 'inner'))).toBeNull()
})

test('where there is a history, the stamp of an older bundle does not count', () => {
  const dir = join(tree(), 'inner')
  writeFileSync(join(dir, 'node_modules/.cis490-commit'), `${stamp}\n`)
  const head = commit(dir)
  expect(commitOf(dir)).toBe(head)
})
