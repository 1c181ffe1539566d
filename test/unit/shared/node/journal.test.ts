import { spawnSync } from 'node:child_process'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Journal, JournalBroken } from '@cis490/shared/node/journal.ts'
import { expect, test } from 'vitest'
import { scratchDir } from '../../../support/scratch.ts'

const rowsOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)

test('rows that are appended together lie in the file in the order of their calls', async () => {
  const path = join(scratchDir(), 'j')
  await using journal = await Journal.open(path)
  const told: number[] = []
  await Promise.all(Array.from({ length: 500 }, (_, n) => journal.append({ n }).then(() => told.push(n))))
  expect(rowsOf(path).map((row) => row['n'])).toEqual(Array.from({ length: 500 }, (_, n) => n))
  expect(told).toEqual(Array.from({ length: 500 }, (_, n) => n))
})

test('a row is in the file when its append resolves, and is given back as written', async () => {
  const path = join(scratchDir(), 'j')
  await using journal = await Journal.open(path)
  for (let n = 0; n < 5; n += 1) {
    const line = await journal.append({ n, text: 'two\nlines' })
    expect(readFileSync(path, 'utf8').endsWith(`${line}\n`)).toBe(true)
    expect([journal.last, journal.size]).toEqual([line, readFileSync(path).length])
  }
  expect(rowsOf(path)).toHaveLength(5)
})

test('a late row is made when it is written, after those before it', async () => {
  const path = join(scratchDir(), 'j')
  await using journal = await Journal.open(path)
  let made = 0
  const late = () => JSON.stringify({ made: ++made })
  const first = journal.appendLate(late)
  const rest = [journal.appendLate(late), journal.appendLate(late)]
  expect(made).toBe(0)
  expect(await first).toBe('{"made":1}')
  expect(await Promise.all(rest)).toEqual(['{"made":2}', '{"made":3}'])
})

test('rows that were appended without waiting are there after closing', async () => {
  const path = join(scratchDir(), 'j')
  const journal = await Journal.open(path)
  const rows = Array.from({ length: 20 }, (_, n) => journal.append({ n }))
  await journal[Symbol.asyncDispose]()
  await Promise.all(rows)
  expect(rowsOf(path)).toHaveLength(20)
})

test.each([
  ['half a row', '{"n":2,"te'],
  ['half a character', Buffer.from([0x7b, 0xe6, 0x97])],
  ['NULs', '\0'.repeat(5000)],
  ['NULs with a newline', '\0\0\0\n'],
  ['half a row that goes on in NULs', '{"n":2\0\0\0'],
])('after a crash that left %s the journal goes on behind the last complete row', async (_, torn) => {
  const path = join(scratchDir(), 'j')
  writeFileSync(path, '{"n":1}\n')
  appendFileSync(path, torn)
  const told: Buffer[] = []
  await using journal = await Journal.open(path, (bytes) => told.push(Buffer.from(bytes)))
  expect([journal.size, journal.last]).toEqual([8, '{"n":1}'])
  expect(Buffer.concat(told).equals(Buffer.from(torn))).toBe(true)
  await journal.append({ n: 2 })
  expect(readFileSync(path, 'utf8')).toBe('{"n":1}\n{"n":2}\n')
})

test.each([
  ['no file', undefined],
  ['an empty file', ''],
  ['a file of one newline', '\n'],
])('from %s the journal begins without complaint', async (_, content) => {
  const path = join(scratchDir(), 'j')
  if (content !== undefined) writeFileSync(path, content)
  await using journal = await Journal.open(path, () => expect.unreachable())
  await journal.append({ n: 1 })
  expect(rowsOf(path)).toEqual([{ n: 1 }])
})

test('a whole file of rows is not touched by opening it', async () => {
  const path = join(scratchDir(), 'j')
  writeFileSync(path, '{"n":1}\n{"n":2}\n')
  await using journal = await Journal.open(path, () => expect.unreachable())
  expect([journal.last, readFileSync(path, 'utf8')]).toEqual(['{"n":2}', '{"n":1}\n{"n":2}\n'])
})

test('after a failure the journal refuses everything, until it is opened anew', async () => {
  const path = join(scratchDir(), 'j')
  const journal = await Journal.open(path)
  await journal.append({ n: 1 })
  const failing = journal.appendLate(() => {
    throw new Error('cannot be encoded')
  })
  const sameGroup = journal.append({ n: 2 })
  await expect(failing).rejects.toThrow('cannot be encoded')
  await expect(sameGroup).rejects.toThrow('cannot be encoded')
  expect(journal.broken).toBe(true)
  await expect(journal.append({ n: 3 })).rejects.toBeInstanceOf(JournalBroken)
  await journal[Symbol.asyncDispose]()
  await using anew = await Journal.open(path)
  await anew.append({ n: 4 })
  expect(rowsOf(path)).toEqual([{ n: 1 }, { n: 4 }])
})

test('a write that the system cuts short leaves no half row, and nothing after it is taken', () => {
  // The kernel's limit on file size writes what fits and then refuses, as a full disk does; it needs no privileges.
  const dir = scratchDir()
  const path = join(dir, 'j')
  const script = join(dir, 'fill.ts')
  const module = new URL('../../../../packages/shared/src/node/journal.ts', import.meta.url).pathname
  writeFileSync(
    script,
    `import { Journal } from ${JSON.stringify(module)}
     const journal = await Journal.open(${JSON.stringify(path)})
     const outcomes = []
     for (let n = 0; n < 6; n += 1) outcomes.push(await journal.append({ n, pad: 'x'.repeat(300) }).then(() => 'told', (e) => e.code ?? e.name))
     console.log(JSON.stringify({ outcomes, broken: journal.broken, size: journal.size }))
     await journal[Symbol.asyncDispose]()`,
  )
  const run = spawnSync('prlimit', ['--fsize=1000', process.execPath, script], { encoding: 'utf8' })
  expect(run.stderr).toBe('')
  const { outcomes, broken, size } = JSON.parse(run.stdout) as { outcomes: string[]; broken: boolean; size: number }
  expect(outcomes).toEqual(['told', 'told', 'told', 'EFBIG', 'JournalBroken', 'JournalBroken'])
  expect(broken).toBe(true)
  expect(rowsOf(path).map((row) => row['n'])).toEqual([0, 1, 2])
  expect(readFileSync(path)).toHaveLength(size)
})
