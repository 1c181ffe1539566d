import { appendFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { emptyFacts } from '@cis490/fleet/core/judge.ts'
import { rowsUpTo } from '@cis490/fleet/core/time.ts'
import { type ColdOptions, foldParts } from '@cis490/fleet/facts/cold-fold.ts'
import { lineStart, linesEnd } from '@cis490/fleet/facts/cold-part.ts'
import { startAhead } from '@cis490/fleet/facts/cold-thread.ts'
import { readFacts } from '@cis490/fleet/facts/read.ts'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { aLine, canonicalLine, joined, timesFrom } from '../../../support/index-lines.ts'

let dir: string
let path: string
const limit = rowsUpTo(timesFrom + 40_000_000)

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fleet-cold-'))
  path = join(dir, 'index.jsonl')
})
afterEach(() => rm(dir, { recursive: true }))

async function readAll(cold: Partial<ColdOptions>) {
  const facts = emptyFacts()
  const read = await readFacts(dir, facts, {}, { limit: () => limit, at: timesFrom, cold })
  return { facts, ...read }
}

test('threads that share a file find what one thread finds, and the cursor ends at the same place', async () => {
  const rows = joined(fc.sample(aLine, { numRuns: 600, seed: 11 }))
  await writeFile(path, Buffer.concat([rows, Buffer.from('{"id":"torn","host":"lab-')]))
  const told: [number, number][] = []
  const onProgress = (done: number, total: number) => void told.push([done, total])
  const alone = await readAll({})
  const shared = await readAll({ least: 1, piece: 9001, threads: 3, onProgress })
  expect(shared).toEqual(alone)
  expect([alone.facts.accepted.size > 4, alone.skipped > 50]).toEqual([true, true])
  expect(told.at(-1)).toEqual([rows.length, rows.length])
  expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).toSorted((a, b) => a - b))
  // Where a shared read ended an ordinary one goes on.
  await appendFile(path, `"}\n${canonicalLine.replace('lab-07', 'lab-new')}\n`)
  const { skipped } = await readFacts(dir, shared.facts, shared.cursors, { limit: () => rowsUpTo(Infinity), at: timesFrom })
  expect([skipped, shared.facts.accepted.has('lab-new')]).toEqual([1, true])
})

test('a thread that was started before there was work does its part, once', async () => {
  const rows = joined(fc.sample(aLine, { numRuns: 200, seed: 12 }))
  await writeFile(path, rows)
  const alone = await readAll({})
  startAhead()
  startAhead()
  expect(await readAll({ least: 1, piece: 501, threads: 2 })).toEqual(alone)
  expect(await readAll({ least: 1, piece: 501, threads: 2 })).toEqual(alone)
})

test('the pieces of a file are whole lines, each in one piece', async () => {
  const bytes = fc.array(fc.constantFrom(...'ab\n\n'), { maxLength: 60 }).map((all) => Buffer.from(all.join('')))
  await fc.assert(
    fc.asyncProperty(bytes, fc.integer({ min: 1, max: 70 }), async (content, piece) => {
      await writeFile(path, content)
      await using file = await open(path)
      const to = linesEnd(file.fd, 0, content.length)
      expect(to).toBe(content.lastIndexOf(0x0a) + 1)
      let border = 0
      for (let near = 0; near < to; near += piece) {
        expect(lineStart(file.fd, near, { from: 0, to })).toBe(border)
        const next = lineStart(file.fd, near + piece, { from: 0, to })
        expect(next === border || content[next - 1] === 0x0a).toBe(true)
        border = next
      }
      expect(border).toBe(to)
    }),
    { numRuns: 60 },
  )
})

test('a line that spans many looks is found from both sides', async () => {
  const content = Buffer.concat([Buffer.from('a\n'), Buffer.alloc(200_000, 'b'), Buffer.from('\n'), Buffer.alloc(200_000, 'c')])
  await writeFile(path, content)
  await using file = await open(path)
  expect(linesEnd(file.fd, 0, content.length)).toBe(200_003)
  const starts = [0, 1, 2, 3].map((near) => lineStart(file.fd, near, { from: 0, to: 200_003 }))
  expect(starts).toEqual([0, 2, 2, 200_003])
})

test('what a thread cannot read is the fault of the whole, with its code', async () => {
  const counters = new Int32Array(new SharedArrayBuffer(8))
  const noFile = 1 << 20
  const work = { fd: noFile, from: 0, to: 1000, piece: 10, limit, counters }
  await expect(foldParts(work, 2)).rejects.toMatchObject({ code: 'EBADF' })
})
