import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { emptyFacts } from '@cis490/fleet/core/judge.ts'
import { rowsUpTo } from '@cis490/fleet/core/time.ts'
import { decodeCheckpoint, encodeCheckpoint } from '@cis490/fleet/facts/checkpoint.ts'
import { readFacts } from '@cis490/fleet/facts/read.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const base = Date.parse('2026-11-21T00:00:00Z')
const at = base + 86_400_000
const reading = { limit: () => rowsUpTo(at), at }

const row = fc.record(
  {
    id: fc.string({ maxLength: 8 }),
    host: fc.constantFrom('lab-01', 'lab-02', 'constructor', 'hôst', '../x'),
    received_at: fc.integer({ min: 0, max: 2 * 86_400_000 }).map((ms) => new Date(base + ms).toISOString()),
    commit: fc.constantFrom('a'.repeat(40), null),
    backfilled: fc.boolean(),
  },
  { requiredKeys: ['id'] },
)
const line = fc.oneof(
  { weight: 8, arbitrary: row.map((value) => JSON.stringify(value)) },
  fc.constantFrom('{"torn":', '\0\0\0', '[]', 'null', '', '\ufffd'),
)

test('reading in random pieces, with the facts saved in between, gives what reading at once gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 12 }),
      async (lines, cuts) => {
        const dir = await mkdtemp(join(tmpdir(), 'fleet-fold-'))
        try {
          const path = join(dir, 'index.jsonl')
          const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(''))
          let saved = { facts: emptyFacts(), cursors: {} }
          let skipped = 0
          let from = 0
          for (const size of [...cuts, bytes.length]) {
            await appendFile(path, bytes.subarray(from, from + size))
            from += size
            const read = await readFacts(dir, saved.facts, saved.cursors, reading)
            skipped += read.skipped
            saved = decodeCheckpoint(encodeCheckpoint({ facts: saved.facts, cursors: read.cursors }))
          }
          const whole = emptyFacts()
          const atOnce = await readFacts(dir, whole, {}, reading)
          expect(saved.facts).toEqual(whole)
          expect(skipped).toBe(atOnce.skipped)
        } finally {
          await rm(dir, { recursive: true })
        }
      },
    ),
    { numRuns: 60 },
  )
})

test('an index that was written anew in place is read from the start', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'fleet-fold-'))
  const path = join(dir, 'index.jsonl')
  const rows = (host: string, count: number) =>
    Array.from({ length: count }, () => `${JSON.stringify({ id: 'e', host, received_at: '2026-11-21T01:00:00.000Z' })}\n`).join(
      '',
    )
  const facts = emptyFacts()
  await writeFile(path, rows('lab-01', 3))
  const { cursors } = await readFacts(dir, facts, {}, reading)
  await truncate(path, 0)
  await writeFile(path, rows('lab-2', 9), { flag: 'r+' })
  await readFacts(dir, facts, cursors, reading)
  expect([...facts.accepted.keys()]).toEqual(['lab-2'])
  await rm(dir, { recursive: true })
})
