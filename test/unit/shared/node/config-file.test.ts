import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Duration } from '@cis490/shared/duration.ts'
import { ConfigError, loadConfig, parseConfig, readSecret } from '@cis490/shared/node/config-file.ts'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { scratchDir } from '../../../support/scratch.ts'

const schema = z.strictObject({
  listen: z.string().default('127.0.0.1:1'),
  wait: Duration.prefault('5s'),
  limits: z.strictObject({ bodies: z.int().min(1).default(4), disk: z.strictObject({ room: z.int() }).optional() }).prefault({}),
  deny: z.array(z.strictObject({ commit: z.string() })).default([]),
})

function mistake(toml: string): string {
  try {
    parseConfig(toml, '/etc/x.toml', schema)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('it was taken')
}

test('an empty file is all defaults', () => {
  expect(parseConfig('', 'x', schema)).toEqual({ listen: '127.0.0.1:1', wait: 5000, limits: { bodies: 4 }, deny: [] })
})

test.each([
  ['an unknown key at the top', 'listen = "a"\nlisten_on = "b"\n', '/etc/x.toml:2: unknown key listen_on'],
  [
    'an unknown key in a table',
    '\n[limits]\nbodies = 3\n  bodiez = 4\n',
    '/etc/x.toml:4: unknown key limits.bodiez; did you mean limits.bodies?',
  ],
  [
    'an unknown key two tables down',
    '[limits.disk]\nroom = 1\nroam = 2\n',
    '/etc/x.toml:3: unknown key limits.disk.roam; did you mean limits.disk.room?',
  ],
  ['an unknown dotted key', 'limits.bodiez = 1\n', '/etc/x.toml:1: unknown key limits.bodiez; did you mean limits.bodies?'],
  ['an unknown quoted key', '[limits]\n"bodiez" = 1\n', '/etc/x.toml:2: unknown key limits.bodiez; did you mean limits.bodies?'],
  ['an unknown table', 'listen = "a"\n\n[limit]\nbodies = 3\n', '/etc/x.toml:3: unknown key limit; did you mean limits?'],
  [
    'an unknown key in an inline table',
    'listen = "a"\nlimits = { bodiez = 4 }\n',
    '/etc/x.toml:2: unknown key limits.bodiez; did you mean limits.bodies?',
  ],
  [
    'an unknown key in the second of three items',
    '[[deny]]\ncommit = "a"\n[[deny]]\ncommit = "b"\nwhy = "c"\n[[deny]]\ncommit = "d"\n',
    '/etc/x.toml:5: unknown key deny.1.why',
  ],
])('%s is named with file, line and path', (_, toml, expected) => {
  expect(mistake(toml)).toBe(expected)
})

test('a key of the same name in another table is not mistaken for it', () => {
  expect(mistake('[limits]\nbodies = 1\nlisten = "x"\n')).toBe('/etc/x.toml:3: unknown key limits.listen; did you mean listen?')
})

test('a wrong type says the key, its line and what is expected', () => {
  expect(mistake('[limits]\nbodies = "four"\n')).toMatch(/^\/etc\/x\.toml:2: limits\.bodies: .*expected (int|number)/)
})

test('a value that is out of range or of no unit says so in words', () => {
  expect(mistake('[limits]\nbodies = 0\n')).toMatch(/^\/etc\/x\.toml:2: limits\.bodies: .*>=1/)
  expect(mistake('wait = "soon"\n')).toBe(
    '/etc/x.toml:1: wait: "soon" is no duration; write a number and ms, s, m, h or d, like "30s"',
  )
})

test('a missing key in a table points at the table', () => {
  expect(mistake('listen = "a"\n[limits.disk]\n')).toMatch(/^\/etc\/x\.toml:2: limits\.disk\.room: /)
})

test('every mistake is told, one line each', () => {
  expect(mistake('wait = "soon"\nx = 1\ny = 2\n').split('\n')).toHaveLength(3)
})

test.each([
  ['an unclosed string', 'a = 1\nlisten = "x\n', 2],
  ['a key twice', 'listen = "a"\nlisten = "b"\n', 2],
  ['no TOML at all', '\n\n{"listen": "a"}\n', 3],
])('%s is a syntax error with its line and no stack', (_, toml, line) => {
  const message = mistake(toml)
  expect(message).toMatch(new RegExp(`^/etc/x\\.toml:${line}: `))
  expect(message).not.toContain('\n')
})

test('a file that is missing or is a folder is a bad configuration that names it', () => {
  const dir = scratchDir()
  expect(() => loadConfig(join(dir, 'none.toml'), schema)).toThrow(
    new ConfigError(
      `cannot read the configuration ${join(dir, 'none.toml')}: ENOENT: no such file or directory; copy the example from etc/ of the checkout, or name another file with --config`,
    ),
  )
  mkdirSync(join(dir, 'folder.toml'))
  expect(() => loadConfig(join(dir, 'folder.toml'), schema)).toThrow(/cannot read the configuration .*folder\.toml: EISDIR/)
})

test('a secret is the text of its file without the white space around it', () => {
  const path = join(scratchDir(), 'token')
  writeFileSync(path, ' s3cret\n\n')
  expect(readSecret(path, 'auth.token')).toBe('s3cret')
  expect(() => readSecret(`${path}.gone`, 'auth.token')).toThrow(
    new ConfigError(`auth.token: cannot read ${path}.gone: ENOENT: no such file or directory`),
  )
})
