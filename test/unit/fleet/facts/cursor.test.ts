import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eachLine } from '@cis490/fleet/core/lines.ts'
import { type Cursor, follow } from '@cis490/fleet/facts/cursor.ts'
import { afterEach, beforeEach, expect, test } from 'vitest'

let dir: string
let path: string
let cursor: Cursor | undefined

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fleet-cursor-'))
  path = join(dir, 'rejects.jsonl')
  cursor = undefined
})
afterEach(() => rm(dir, { recursive: true }))

/** What one more look gives; a restart shows as "!". */
async function look(rotated = true): Promise<string[]> {
  const seen: string[] = []
  cursor = await follow(path, cursor, rotated, {
    restart: () => void seen.push('!'),
    take: (bytes, end) => eachLine(bytes, end, (from, to) => void seen.push(bytes.toString('utf8', from, to))),
  })
  return seen
}

test('only new complete lines are given, and each once', async () => {
  expect(await look()).toEqual([])
  await writeFile(path, 'a\nb\nc')
  expect(await look()).toEqual(['a', 'b'])
  expect(await look()).toEqual([])
  await appendFile(path, 'c\nd\n')
  expect(await look()).toEqual(['cc', 'd'])
})

test('after a rotation the rest of the old file comes first', async () => {
  await writeFile(path, 'a\n')
  expect(await look()).toEqual(['a'])
  await appendFile(path, 'b\n')
  await rename(path, `${path}.1`)
  await writeFile(path, 'c\n')
  expect(await look()).toEqual(['b', 'c'])
  await appendFile(path, 'd\n')
  expect(await look()).toEqual(['d'])
})

test('with no memory the rotated file is read too', async () => {
  await writeFile(`${path}.1`, 'a\n')
  await writeFile(path, 'b\n')
  expect(await look()).toEqual(['a', 'b'])
})

test('between two steps of a rotation nothing is lost', async () => {
  await writeFile(path, 'a\n')
  await look()
  await appendFile(path, 'b\n')
  await rename(path, `${path}.1`)
  expect(await look()).toEqual(['b'])
})

test.each<[string, () => Promise<void>]>([
  ['a file that became shorter', () => writeFile(path, 'x\n')],
  ['a file of another inode', () => writeFile(join(dir, 'n'), 'x\n').then(() => rename(join(dir, 'n'), path))],
  ['other bytes in the same file', () => writeFile(path, 'x\n'.padStart(200, 'y'))],
])('%s is read from the start', async (_sentence, change) => {
  await writeFile(path, 'first\nsecond\n')
  await look(false)
  await change()
  const [restart, line, ...rest] = await look(false)
  expect([restart, line?.at(-1), rest]).toEqual(['!', 'x', []])
})

test('a run of megabytes without newline is one line that is cut, and what follows is read', async () => {
  await writeFile(path, Buffer.concat([Buffer.alloc(9 << 20, 'z'), Buffer.from('\nafter\n')]))
  const lines = await look()
  expect(lines.at(-1)).toBe('after')
  expect(lines).toHaveLength(2)
  expect(lines[0]?.length).toBeLessThan(6 << 20)
  expect(await look()).toEqual([])
})
