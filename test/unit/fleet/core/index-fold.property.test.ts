import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Accepted, foldAccepted, mergeAccepted } from '@cis490/fleet/core/accepted.ts'
import { HostTable, hashOf } from '@cis490/fleet/core/host-table.ts'
import { IndexFold } from '@cis490/fleet/core/index-fold.ts'
import { longestLine } from '@cis490/fleet/core/lines.ts'
import { slack } from '@cis490/fleet/core/row-bytes.ts'
import { pulledBackTo, rowsUpTo, type TimeLimit } from '@cis490/fleet/core/time.ts'
import { LineReader } from '@cis490/fleet/facts/line-reader.ts'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { aLine, canonicalLine, joined, timesFrom } from '../../../support/index-lines.ts'

const dir = mkdtempSync(join(tmpdir(), 'fleet-index-fold-'))
const path = join(dir, 'index.jsonl')
afterAll(() => rmSync(dir, { recursive: true }))

interface Folded {
  readonly accepted: Map<string, Accepted>
  readonly skipped: number
}

/** The textbook: each complete line is a string, each string is parsed. */
function naive(bytes: Buffer, limit: TimeLimit): Folded {
  const accepted = new Map<string, Accepted>()
  let skipped = 0
  const complete = bytes.lastIndexOf(0x0a)
  for (let from = 0; from <= complete; ) {
    const to = bytes.indexOf(0x0a, from)
    if (to > from && !isUsed(bytes.subarray(from, to), accepted, limit)) skipped += 1
    from = to + 1
  }
  return { accepted, skipped }
}

function isUsed(line: Buffer, accepted: Map<string, Accepted>, limit: TimeLimit): boolean {
  if (line.length > longestLine) return false
  try {
    const row: unknown = JSON.parse(line.toString('utf8'))
    const isRow = typeof row === 'object' && row !== null && !Array.isArray(row)
    return isRow && foldAccepted(accepted, row as Record<string, unknown>, limit) !== 'garbage'
  } catch {
    return false
  }
}

/** @param few left out: as few rows are folded */
function fast(bytes: Buffer, limit: TimeLimit, few?: number): Folded {
  const accepted = new Map<string, Accepted>()
  const fold = new IndexFold(accepted, few)
  // What lies behind the end is of no meaning: here it would continue a row.
  const held = Buffer.concat([bytes, Buffer.alloc(slack, canonicalLine)])
  fold.take(held, bytes.lastIndexOf(0x0a) + 1, limit)
  return { accepted, skipped: fold.skipped }
}

/** @param bytes what the file holds */
async function readInBlocks(bytes: Buffer, block: number, limit: TimeLimit): Promise<Folded> {
  const accepted = new Map<string, Accepted>()
  const fold = new IndexFold(accepted, 0)
  const fd = openSync(path, 'r')
  try {
    const lines = new LineReader(block)
    const end = await lines.read(fd, 0, Number.POSITIVE_INFINITY, (held, to) => fold.take(held, to, limit))
    expect(end).toBe(bytes.lastIndexOf(0x0a) + 1)
    // The other way to read gives the same blocks, and finds nothing of the first read in the buffer.
    const once = new Map<string, Accepted>()
    const again = new IndexFold(once, 0)
    expect(lines.readNow(fd, 0, Number.POSITIVE_INFINITY, (held, to) => again.take(held, to, limit))).toBe(end)
    expect([once, again.skipped]).toEqual([accepted, fold.skipped])
  } finally {
    closeSync(fd)
  }
  return { accepted, skipped: fold.skipped }
}

const limits = fc.constantFrom(
  rowsUpTo(timesFrom + 40_000_000),
  pulledBackTo(timesFrom + 40_000_000),
  rowsUpTo(Number.POSITIVE_INFINITY),
)

test('the fold of bytes is the fold of parsed lines, whatever the lines are', () => {
  fc.assert(
    fc.property(fc.array(aLine, { maxLength: 30 }), limits, (lines, limit) => {
      const bytes = joined(lines)
      expect(fast(bytes, limit, 0)).toEqual(naive(bytes, limit))
      expect(fast(bytes, limit)).toEqual(naive(bytes, limit))
    }),
    { numRuns: 400 },
  )
})

test('a row with any one byte changed, dropped or doubled is what the parser says it is', () => {
  const row = Buffer.from(`${canonicalLine}\n`)
  const limit = rowsUpTo(Number.POSITIVE_INFINITY)
  const others = [
    0x00, 0x09, 0x0a, 0x0d, 0x20, 0x22, 0x2c, 0x2d, 0x30, 0x31, 0x39, 0x41, 0x5c, 0x61, 0x7b, 0x7d, 0x7f, 0x80, 0xff,
  ]
  for (let at = 0; at < row.length; at++) {
    const before = row.subarray(0, at)
    const variants = others.map((byte) => Buffer.concat([before, Buffer.from([byte]), row.subarray(at + 1)]))
    variants.push(
      Buffer.concat([before, row.subarray(at + 1)]),
      Buffer.concat([before, row.subarray(at, at + 1), row.subarray(at)]),
    )
    for (const bytes of variants) {
      const [ours, theirs] = [fast(bytes, limit, 0), naive(bytes, limit)]
      if (ours.skipped !== theirs.skipped || JSON.stringify([...ours.accepted]) !== JSON.stringify([...theirs.accepted]))
        expect.fail(`at ${at}: ${JSON.stringify(bytes.toString('latin1'))}`)
    }
  }
})

test('any byte at any place of the time is what the parser says it is, after an hour that is known', () => {
  const row = Buffer.from(`${canonicalLine}\n`)
  const limit = rowsUpTo(Number.POSITIVE_INFINITY)
  const time = row.indexOf('2026-11')
  for (let at = time - 1; at < time + 25; at++)
    for (let byte = 0; byte < 256; byte++) {
      const changed = Buffer.from(row)
      changed[at] = byte
      const bytes = Buffer.concat([row, changed])
      const [ours, theirs] = [fast(bytes, limit, 0), naive(bytes, limit)]
      if (ours.skipped !== theirs.skipped || JSON.stringify([...ours.accepted]) !== JSON.stringify([...theirs.accepted]))
        expect.fail(`byte ${byte} at ${at}`)
    }
})

test('the border of a block may lie at any byte', async () => {
  const lines = fc.sample(aLine, { numRuns: 4, seed: 7 })
  const bytes = Buffer.concat([joined([Buffer.from(canonicalLine), ...lines]), Buffer.from(canonicalLine.slice(0, 90))])
  const limit = rowsUpTo(Number.POSITIVE_INFINITY)
  const expected = naive(bytes, limit)
  writeFileSync(path, bytes)
  for (let block = 1; block < bytes.length + 2; block += block < 150 ? 1 : 97)
    expect(await readInBlocks(bytes, block, limit)).toEqual(expected)
})

test('a line that is too long is no row, wherever the blocks are cut, and what follows is read', async () => {
  const limit = rowsUpTo(Number.POSITIVE_INFINITY)
  const long = (length: number) =>
    Buffer.from(canonicalLine.replace('"id":"', `"id":"${'x'.repeat(length - canonicalLine.length)}`))
  const bytes = joined([long(longestLine), long(longestLine + 1), long(3 * longestLine), Buffer.from(canonicalLine)])
  const expected = naive(bytes, limit)
  expect(expected.skipped).toBe(2)
  writeFileSync(path, bytes)
  for (const block of [70_001, longestLine - 1, longestLine, longestLine + 1, 8 << 20])
    expect(await readInBlocks(bytes, block, limit)).toEqual(expected)
})

test('however the rows are cut and in whatever order the parts are merged, the facts are the same', () => {
  fc.assert(
    fc.property(fc.array(aLine, { maxLength: 30 }), fc.infiniteStream(fc.nat(3)), limits, (lines, choice, limit) => {
      const parts: Buffer[][] = [[], [], [], []]
      for (const line of lines) parts[choice.next().value as number]?.push(line)
      const folded = parts.map((part) => fast(joined(part), limit, 0))
      const whole = naive(joined(lines), limit)
      const merged = new Map<string, Accepted>()
      for (const { accepted } of folded) mergeAccepted(merged, accepted)
      // A part that is merged twice changes nothing either.
      mergeAccepted(merged, folded[0]?.accepted ?? new Map())
      expect(merged).toEqual(whole.accepted)
      expect(folded.reduce((sum, { skipped }) => sum + skipped, 0)).toBe(whole.skipped)
    }),
    { numRuns: 100 },
  )
})

test('a host is known again after the buffer that it was seen in was overwritten', () => {
  const made: string[] = []
  const table = new HostTable((name) => {
    made.push(name)
    return { name }
  })
  const buffer = Buffer.alloc(64)
  for (const text of ['lab-01', '--lab-02', '----lab-01', 'lab-02']) {
    const length = buffer.write(text)
    expect(table.find(new DataView(buffer.buffer, buffer.byteOffset, buffer.length), length - 6, length)).toEqual({
      name: text.slice(-6),
    })
  }
  expect(made).toEqual(['lab-01', 'lab-02'])
})

test('two hosts of one length and one hash are told apart', () => {
  const seen = new Map<number, string>()
  const view = (name: string) => new DataView(Uint8Array.from(Buffer.from(`${name}    `)).buffer)
  let pair: string[] = []
  for (let k = 0; pair.length === 0; k++) {
    const name = `lab-${String(Math.imul(k, 0x9e3779b1) >>> 0).padStart(10, '0')}`
    const hash = hashOf(view(name), 0, name.length)
    const other = seen.get(hash)
    if (other !== undefined) pair = [other, name]
    seen.set(hash, name)
  }
  const table = new HostTable((name) => ({ name }))
  const found = [...pair, ...pair].map((name) => table.find(view(name), 0, name.length)?.name)
  expect(found).toEqual([...pair, ...pair])
})

test('thousands of hosts are told apart', () => {
  const hosts = Array.from({ length: 5000 }, (_, k) => `h${k}`)
  const bytes = joined(hosts.map((host) => Buffer.from(canonicalLine.replace('lab-07', host))))
  expect([...fast(bytes, rowsUpTo(Number.POSITIVE_INFINITY), 0).accepted.keys()]).toEqual(hosts)
})

test('hosts that differ in one character, or in one more, are told apart at every length', () => {
  const all = 'h'.repeat(253)
  const hosts = Array.from({ length: 253 }, (_, k) => all.slice(k)).flatMap((host) => [
    host,
    ...[0, 1, 2, 3, 4, 7]
      .filter((at) => at < host.length)
      .map((at) => `${host.slice(0, -1 - at)}x${host.slice(host.length - at)}`),
  ])
  const bytes = joined(hosts.map((host) => Buffer.from(canonicalLine.replace('lab-07', host))))
  expect([...fast(bytes, rowsUpTo(Number.POSITIVE_INFINITY), 0).accepted.keys()]).toEqual(hosts)
})
