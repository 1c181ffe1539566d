import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { IndexRow } from '@cis490/shared/receipt.ts'
import { describe, expect, test } from 'vitest'
import { encodeCursor, matches, parseQuery, type QueryFields } from '../../../packages/receiver/src/core/episode-query.ts'
import { Taints } from '../../../packages/receiver/src/core/taints.ts'
import { listEpisodes } from '../../../packages/receiver/src/store/episode-list.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { lineBefore, type ScanOptions, scanLines } from '../../../packages/receiver/src/store/line-scan.ts'
import { scratchDir } from '../../support/scratch.ts'

const now = Date.parse('2026-11-21T12:00:00.000Z')
const row = IndexRow.parse({ id: 'a', host: 'lab-07', commit: 'ABCDEF0', received_at: '2026-11-21T10:00:00.000Z' })

describe('a row fits a query', () => {
  const nothing = { tainted: false, pruned: false }
  test.each<[QueryFields, boolean]>([
    [{}, true],
    [{ commit: 'abcdef0' }, true],
    [{ commit: 'abcdef01' }, false],
    [{ host: 'LAB-07' }, true],
    [{ host: 'lab-0' }, false],
    [{ since: '2h' }, true],
    [{ since: '119m' }, false],
    [{ since: '2026-11-21T10:00:00.001Z' }, false],
    [{ since: '2026-11-21T11:00:00 01:00' }, true],
    [{ until: '2026-11-21T10:00:00Z' }, false],
    [{ since: '2026-11-21', until: '2026-11-22' }, true],
    [{ tainted: 'only' }, false],
    [{ tainted: '1', pruned: 'true' }, true],
  ])('%o: %s', (fields, fit) => expect(matches(parseQuery(fields, now), row, nothing)).toBe(fit))

  test('a marked one only where marked ones are asked for', () => {
    const fits = (fields: QueryFields, is: { tainted: boolean; pruned: boolean }) => matches(parseQuery(fields, now), row, is)
    const [tainted, both] = [
      { tainted: true, pruned: false },
      { tainted: true, pruned: true },
    ]
    expect([fits({}, tainted), fits({ tainted: 'include' }, tainted), fits({ tainted: 'only' }, tainted)]).toEqual([
      false,
      true,
      true,
    ])
    expect([fits({ tainted: 'only' }, both), fits({ tainted: 'only', pruned: 'include' }, both)]).toEqual([false, true])
  })
  test('one of an older receiver, without time or commit, is in no span and of no commit', () => {
    const old = IndexRow.parse({ id: 'a', commit: null })
    expect(matches(parseQuery({}, now), old, nothing)).toBe(true)
    for (const fields of [{ since: '2020-01-01' }, { until: '2030-01-01' }, { commit: 'abcdef0' }, { host: 'lab-07' }])
      expect(matches(parseQuery(fields, now), old, nothing)).toBe(false)
  })
})

describe('lines of a file', () => {
  const lines = ['one', '', 'drei "x" "x"', `four ${'4'.repeat(50)}`, '"x" five']
  const text = `${lines.join('\n')}\n`
  async function scan(content: string, options: ScanOptions) {
    const path = join(scratchDir(), 'lines')
    writeFileSync(path, content)
    const seen: [string, number][] = []
    for await (const batch of scanLines(path, options))
      for (const { bytes, end } of batch.lines) seen.push([bytes.toString(), end])
    return seen
  }
  test.each([1, 3, 8, 64, 4096])('come whole and in order, in chunks of %i bytes', async (chunkBytes) => {
    const seen = await scan(`${text}torn`, { chunkBytes })
    expect(seen.map(([line]) => line)).toEqual(lines)
    for (const [line, end] of seen) expect(text.slice(end - line.length - 1, end)).toBe(`${line}\n`)
    const [, second] = seen[1] as [string, number]
    expect((await scan(text, { chunkBytes, from: second })).map(([line]) => line)).toEqual(lines.slice(2))
    expect((await scan(text, { chunkBytes, to: second + 3 })).map(([line]) => line)).toEqual(lines.slice(0, 2))
    const hits = (await scan(text, { chunkBytes, needle: '"x"' })).map(([line]) => line)
    expect(hits).toEqual([lines[2], lines[4]])
  })
  test('the one before an offset is found, whatever its length', async () => {
    const path = join(scratchDir(), 'lines')
    writeFileSync(path, `first\n${'b'.repeat(20_000)}\nlast\n`)
    const lineAt = async (offset: number) => (await lineBefore(path, offset))?.toString()
    expect([await lineAt(6), await lineAt(20_007), await lineAt(20_012)]).toEqual(['first', 'b'.repeat(20_000), 'last'])
    expect([await lineAt(0), await lineAt(5), await lineAt(99_999), (await lineBefore(`${path}-`, 3))?.length]).toEqual(
      Array(4).fill(undefined),
    )
  })
})

test('a list passes over damaged lines, ends where it is told, and its cursors lead on', async () => {
  const layout = new StoreLayout(scratchDir())
  appendFileSync(
    layout.index,
    '{"id":"a"}\n\0\0\0\n{"id":"b","host":"lab-07"}\n{"id":7}\n{"id":"x","bytes":"1"}\n{"id":"x","host":7}\n{"id":"c","host":"lab-07"}\n',
  )
  const known = { taints: new Taints(), prunedBy: () => undefined }
  const list = async (fields: QueryFields, span = {}) => {
    const batches = await Array.fromAsync(listEpisodes(layout, parseQuery(fields, now), known, span))
    return batches.flatMap(({ episodes }) => [...episodes])
  }
  const all = await list({})
  expect(all.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  for (const [k, { cursor }] of all.entries())
    expect((await list({ cursor })).map(({ id }) => id)).toEqual(['a', 'b', 'c'].slice(k + 1))
  expect((await list({ host: 'lab-07', limit: '1' })).map(({ id }) => id)).toEqual(['b'])
  expect((await list({}, { to: 42 })).map(({ id }) => id)).toEqual(['a', 'b'])
  expect(encodeCursor({ offset: 1, line: 'f' })).toBe('1.f')
})
