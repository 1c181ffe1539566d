import { writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { readTail } from '@cis490/shared/node/tail.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scratchDir } from '../../../support/scratch.ts'

async function tailOf(path: string, bytes: Buffer) {
  writeFileSync(path, bytes)
  await using file = await open(path, 'r')
  return await readTail(file)
}

const row = fc
  .record({ id: fc.string(), n: fc.nat(), text: fc.string({ unit: 'grapheme', maxLength: 60 }) })
  .map((one) => JSON.stringify(one))
/** What a cut leaves: never a newline, NULs often. */
const half = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0x0a))),
  fc.nat(200_000).map((count) => Buffer.alloc(count)),
)

test('whatever half row follows the complete rows is cut exactly', async () => {
  const path = join(scratchDir(), 'rows')
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 6 }), half, async (rows, torn) => {
      const complete = Buffer.from(rows.map((one) => `${one}\n`).join(''))
      const tail = await tailOf(path, Buffer.concat([complete, torn]))
      expect(tail.complete).toBe(complete.length)
      expect(tail.torn.equals(torn)).toBe(true)
      expect(tail.last).toBe(rows.at(-1))
    }),
    { numRuns: 150 },
  )
})

test('every prefix of a file ends at its last complete row', async () => {
  const path = join(scratchDir(), 'rows')
  const whole = Buffer.from('{"a":1}\n{"ü":"日本"}\n{"c":3}\n')
  for (let length = 0; length <= whole.length; length += 1) {
    const bytes = whole.subarray(0, length)
    const { complete, torn } = await tailOf(path, bytes)
    expect(complete, `${length} bytes`).toBe(bytes.lastIndexOf(0x0a) + 1)
    expect(complete + torn.length).toBe(length)
  }
})

test.each([
  ['NULs and then a newline', '\0\0\0\n'],
  ['several lines of NULs', '\0\0\n\0\0\0\n\0'],
  ['a row that begins in NULs', '\0\0\0"b":2}\n'],
  ['a row whose end became NULs', '{"b":2\0\0\0\n'],
])('%s after a row is torn, newline or not', async (_, rest) => {
  const tail = await tailOf(join(scratchDir(), 'rows'), Buffer.from(`{"a":1}\n${rest}`))
  expect(tail).toMatchObject({ complete: 8, last: '{"a":1}', torn: Buffer.from(rest) })
})

test('a file of NULs alone is torn as a whole', async () => {
  const tail = await tailOf(join(scratchDir(), 'rows'), Buffer.alloc(200_000))
  expect([tail.complete, tail.torn.length, tail.last]).toEqual([0, 200_000, undefined])
})

test('an empty file has no row and nothing torn', async () => {
  expect(await tailOf(join(scratchDir(), 'rows'), Buffer.alloc(0))).toEqual({
    complete: 0,
    torn: Buffer.alloc(0),
    last: undefined,
    lastBytes: undefined,
  })
})

test('a newline alone is a complete, empty line', async () => {
  expect(await tailOf(join(scratchDir(), 'rows'), Buffer.from('\n'))).toMatchObject({
    complete: 1,
    torn: Buffer.alloc(0),
    last: '',
  })
})

test('a complete line that a person wrote stays, even if it is no JSON', async () => {
  const tail = await tailOf(join(scratchDir(), 'rows'), Buffer.from('{"a":1}\na note\n'))
  expect([tail.torn.length, tail.last]).toEqual([0, 'a note'])
})

test('rows longer than what is read at once are found whole, at every length around it', async () => {
  const path = join(scratchDir(), 'rows')
  for (const length of [65_533, 65_534, 65_535, 65_536, 65_537, 131_072, 200_000]) {
    const long = JSON.stringify({ t: 'x'.repeat(length - 8) })
    expect(long).toHaveLength(length)
    const tail = await tailOf(path, Buffer.from(`{"a":1}\n${long}\nhalf`))
    expect([tail.complete, tail.last === long, tail.torn.toString()]).toEqual([8 + length + 1, true, 'half'])
  }
})
