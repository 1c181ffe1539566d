import { spawnSync } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { scratchDir } from '../../../support/scratch.ts'

const bin = fileURLToPath(new URL('../../../../packages/receiver/bin/cis490-receiver', import.meta.url))
const run = (...args: string[]) => spawnSync(bin, args, { encoding: 'utf8' })

test.each([
  ['an unknown command', ['surve'], "unknown command 'surve'"],
  ['an unknown option', ['serve', '--port', '1'], "unknown option '--port'"],
  ['an option without its value', ['fsck', '--config'], "option '--config <file>' argument missing"],
  ['too many words', ['fsck', 'everything'], 'too many arguments'],
  ['no command at all', [], 'Usage: cis490-receiver'],
])('%s is a usage error: 2', (_, args, words) => {
  const { status, stdout, stderr } = run(...args)
  expect([status, stdout]).toEqual([2, ''])
  expect(stderr).toContain(words)
})

test('a slip of the finger is told what was meant', () => {
  expect(run('fsk').stderr).toContain('Did you mean fsck?')
})

test.each(['serve', 'fsck', 'backfill', 'check-config'])('%s without its configuration file is 78, in words', (command) => {
  const path = join(scratchDir(), 'none.toml')
  const { status, stdout, stderr } = run(command, '--config', path)
  expect([status, stdout]).toEqual([78, ''])
  expect(stderr).toBe(
    `cis490-receiver: bad configuration\ncannot read the configuration ${path}: ENOENT: no such file or directory; copy the example from etc/ of the checkout, or name another file with --config\n`,
  )
})

test('an unknown key is 78 with file, line and key', () => {
  const path = join(scratchDir(), 'r.toml')
  writeFileSync(path, '[limits]\nbodys = 3\n')
  const { status, stderr } = run('check-config', '--config', path)
  expect(status).toBe(78)
  expect(stderr).toBe(`cis490-receiver: bad configuration\n${path}:2: unknown key limits.bodys; did you mean limits.bodies?\n`)
})

test('why a unit failed was no error in the journal', () => {
  const dir = scratchDir()
  const journal = openSync(join(dir, 'journal'), 'a')
  const { dev, ino } = fstatSync(journal)
  const env = { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` }
  const { status } = spawnSync(bin, ['serve', '--config', join(dir, 'none.toml')], { env, stdio: ['ignore', 'ignore', journal] })
  closeSync(journal)
  const lines = readFileSync(join(dir, 'journal'), 'utf8').trimEnd().split('\n')
  expect([status, lines[0], lines.length]).toEqual([78, '<3>cis490-receiver: bad configuration', 2])
  expect(lines[1]).toMatch(/^<3>cannot read the configuration /)
})

test.each([['--help'], ['--version'], ['serve', '--help']])('asking for %s is no mistake: 0', (...args) => {
  const { status, stdout, stderr } = run(...args)
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout.length).toBeGreaterThan(4)
})
