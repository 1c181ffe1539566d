import { resolve, sep } from 'node:path'
import { readHostName } from '@cis490/shared/host-name.ts'
import { CommitSha, EpisodeId, HostName, Sha256, timestamp } from '@cis490/shared/ids.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'

/** Text that likes to break paths, headers and log lines. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 140 }),
  fc
    .array(
      fc.constantFrom(
        '.',
        '..',
        '/',
        '\\',
        'a',
        'Z',
        '0',
        '-',
        '_',
        '%2e',
        '%2F',
        '\0',
        '\n',
        '\r',
        ' ',
        '~',
        ':',
        'ü',
        '\u212a',
      ),
    )
    .map((parts) => parts.join('')),
  fc.stringMatching(/^[A-Za-z0-9._-]{0,200}$/),
)

test.each([
  ['an episode id', EpisodeId],
  ['a host name', HostName],
])('nothing that is accepted as %s can leave its folder, break a line or be read twice', (_, schema) => {
  let accepted = 0
  fc.assert(
    fc.property(hostile, (text) => {
      const parsed = schema.safeParse(text)
      if (!parsed.success) return
      accepted += 1
      const path = resolve('/store/episodes', parsed.data)
      expect(path).toBe(`/store/episodes/${parsed.data}`)
      expect(path.split(sep)).toHaveLength(4)
      expect(parsed.data).toMatch(/^[\x21-\x7e]+$/)
      expect(encodeURIComponent(parsed.data)).toBe(parsed.data)
      expect(schema.parse(parsed.data)).toBe(parsed.data)
    }),
    { numRuns: 3000 },
  )
  expect(accepted).toBeGreaterThan(50)
})

test.each([
  ['a', true],
  ['0', true],
  ['2026-11-21T02_15.run-7', true],
  ['a'.repeat(128), true],
  ['a'.repeat(129), false],
  ['', false],
  ['.', false],
  ['..', false],
  ['a..b', false],
  ['.hidden', false],
  ['-rf', false],
  ['_a', false],
  ['a/b', false],
  ['a\\b', false],
  ['a b', false],
  ['a\n', false],
  ['a%2e', false],
  ['ä', false],
])('the episode id %j is taken: %s', (id, taken) => {
  expect(EpisodeId.safeParse(id).success).toBe(taken)
})

test.each([
  ['lab-07', 'lab-07'],
  ['LAB-07.Example.ORG', 'lab-07.example.org'],
  ['a'.repeat(253), 'a'.repeat(253)],
  ['a'.repeat(254), undefined],
  ['*.lab', undefined],
  ['lab-', undefined],
  ['-lab', undefined],
  ['lab.', undefined],
  ['a..b', undefined],
  ['lab_07', undefined],
  ['lab 07', undefined],
  ['', undefined],
])('the host name %j becomes %j', (name, expected) => {
  expect(HostName.safeParse(name).data).toBe(expected)
  expect(readHostName(name)).toBe(expected)
})

test('a letter that only lower-cases into ASCII (the Kelvin sign) does not make a host another host', () => {
  expect('\u212aeeper'.toLowerCase()).toBe('keeper')
  expect(HostName.safeParse('\u212aeeper').success).toBe(false)
})

test('a commit is 40 or 64 hexadecimal digits, in either case, and nothing between', () => {
  for (let length = 0; length < 80; length += 1) {
    const taken = CommitSha.safeParse('A'.repeat(length))
    expect(taken.data, `${length} digits`).toBe(length === 40 || length === 64 ? 'a'.repeat(length) : undefined)
  }
  expect(CommitSha.safeParse(`g${'a'.repeat(39)}`).success).toBe(false)
  expect(CommitSha.safeParse(`${'a'.repeat(40)}\n`).success).toBe(false)
})

test('a hash is 64 hexadecimal digits, lower-cased', () => {
  expect(Sha256.parse('AB'.repeat(32))).toBe('ab'.repeat(32))
  expect(Sha256.safeParse('ab'.repeat(31)).success).toBe(false)
})

test('times have milliseconds and are UTC', () => {
  expect(timestamp(1_763_690_400_007)).toBe('2025-11-21T02:00:00.007Z')
})
