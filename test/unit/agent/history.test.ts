import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { describe, expect, test } from 'vitest'
import { type HistoryRow, type Remembered, whatChanged } from '../../../packages/agent/src/core/history.ts'
import { History } from '../../../packages/agent/src/outbox/history.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { scratchDir } from '../../support/scratch.ts'

const ready: Remembered = { lane: 'ready', attempts: 0 }
const answered = (status: number, code: string, lane = 'ready'): Remembered => ({ lane, attempts: 1, last: { status, code } })

describe('of an entry is remembered', () => {
  test.each<[string, Remembered | undefined, Remembered, object | undefined]>([
    ['nothing that always happens: packed and ready', undefined, ready, undefined],
    ['that the gate refused it before it was sent', undefined, answered(412, 'x', 'gated'), { what: 'lane', lane: 'gated' }],
    ['the first answer', ready, answered(503, 'overloaded'), { what: 'answer', code: 'overloaded', attempts: 1 }],
    ['no answer twice', answered(503, 'overloaded'), { ...answered(503, 'overloaded'), attempts: 9 }, undefined],
    [
      'another answer',
      answered(503, 'overloaded'),
      answered(0, 'unreachable'),
      { what: 'answer', status: 0, code: 'unreachable' },
    ],
    ['a move', answered(412, 'x', 'gated'), answered(412, 'x'), { what: 'lane', from: 'gated', lane: 'ready' }],
  ])('%s', (_case, before, after, change) => {
    if (change) expect(whatChanged(before, after)).toMatchObject(change)
    else expect(whatChanged(before, after)).toBeUndefined()
  })
})

const row = (k: number): HistoryRow => ({
  at: '2026-11-21T10:00:00.000Z',
  ...{ id: EpisodeId.parse(`ep-${k}`), what: 'answer', lane: 'ready', attempts: k },
})

test('history.jsonl grows to its bound and is then moved aside, so that it never takes more than twice that', async () => {
  const path = join(scratchDir(), 'history.jsonl')
  {
    await using history = new History(path, capturedLog().log, 1000)
    for (let k = 0; k < 100; k++) await history.add(row(k))
  }
  expect(statSync(path).size).toBeLessThan(1200)
  expect(statSync(`${path}.1`).size).toBeLessThan(1200)
  expect(readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)).toBe(JSON.stringify(row(99)))
  await using again = new History(path, capturedLog().log, 1000)
  await again.add(row(100))
  expect(readFileSync(path, 'utf8')).toContain('"ep-99"')
})

test('a history that cannot be written is told once and stops nobody', async () => {
  const dir = scratchDir()
  mkdirSync(join(dir, 'history.jsonl'))
  const captured = capturedLog()
  await using history = new History(join(dir, 'history.jsonl'), captured.log)
  for (let k = 0; k < 3; k++) await history.add(row(k))
  expect(captured.at('warn').filter(({ msg }) => String(msg).includes('history of entries'))).toHaveLength(1)
})
