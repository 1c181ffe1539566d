import { EpisodeId } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { type Finished, judgeFinished } from '../../../packages/agent/src/core/finished.ts'

const id = EpisodeId.parse('ep-1')
const good = '{"episode_id":"ep-1","robot":{"arm":2}}'
const hour = 3_600_000
/** Milliseconds since 1970 of the judgement. */
const now = 1_800_000_000_000
const at = (ms: number, extraNs = 0n) => BigInt(now + ms) * 1_000_000n + extraNs

interface Row {
  sentence: string
  meta?: { text: string; mtime_ns: bigint }
  newest?: { path: string; mtime_ns: bigint }
  is: Partial<Finished>
}

const rows: Row[] = [
  { sentence: 'a folder without meta.json is a recording', is: { state: 'recording', reason: 'no-meta' } },
  {
    sentence: 'a folder with nothing but a valid meta.json is finished',
    meta: { text: good, mtime_ns: at(0) },
    is: { state: 'finished' },
  },
  {
    sentence: 'files older than meta.json: finished',
    meta: { text: good, mtime_ns: at(-10) },
    newest: { path: 'a', mtime_ns: at(-20) },
    is: { state: 'finished' },
  },
  {
    sentence: 'a file of the same time as meta.json: finished',
    meta: { text: good, mtime_ns: at(-10, 5n) },
    newest: { path: 'a', mtime_ns: at(-10, 5n) },
    is: { state: 'finished' },
  },
  {
    sentence: 'a file newer by one nanosecond: still recording',
    meta: { text: good, mtime_ns: at(-10, 5n) },
    newest: { path: 'a', mtime_ns: at(-10, 6n) },
    is: { state: 'recording', reason: 'file-newer-than-meta' },
  },
  {
    sentence: 'an old meta.json beside a file that is still written: still recording',
    meta: { text: good, mtime_ns: at(-9 * hour) },
    newest: { path: 'a', mtime_ns: at(-hour) },
    is: { state: 'recording', reason: 'file-newer-than-meta' },
  },
  {
    sentence: 'meta.json older than a file for more than an hour: stuck, with the file',
    meta: { text: good, mtime_ns: at(-2 * hour) },
    newest: { path: 'sub/a', mtime_ns: at(-hour - 1) },
    is: { state: 'stuck', file: 'sub/a' },
  },
  {
    sentence: 'meta.json half written: invalid',
    meta: { text: good.slice(0, 9), mtime_ns: at(0) },
    is: { state: 'invalid', reason: 'meta.json is not a JSON object' },
  },
  {
    sentence: 'meta.json of another episode: invalid',
    meta: { text: '{"episode_id":"ep-2"}', mtime_ns: at(0) },
    is: { state: 'invalid', reason: 'meta.json: episode_id is ep-2, the folder is ep-1' },
  },
  {
    sentence: 'an invalid meta.json is invalid, not stuck, however old',
    meta: { text: '{}', mtime_ns: at(-9 * hour) },
    newest: { path: 'a', mtime_ns: at(-5 * hour) },
    is: { state: 'invalid' },
  },
]

test.each(rows)('$sentence', ({ meta, newest, is }) => {
  expect(judgeFinished({ id, meta, newest }, now)).toMatchObject(is)
})

test('what the recorder wrote beyond our fields is kept', () => {
  expect(judgeFinished({ id, meta: { text: good, mtime_ns: 1n }, newest: undefined }, now)).toEqual({
    state: 'finished',
    meta: { episode_id: 'ep-1', robot: { arm: 2 } },
  })
})
