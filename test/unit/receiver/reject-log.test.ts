import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RejectLog } from '../../../packages/receiver/src/store/reject-log.ts'
import { scratchDir } from '../../support/scratch.ts'

const row = (k: number) => ({ at: '2026-11-21T02:00:00.000Z', status: 400, code: 'bad-id', id: `ep-${k}` })
const ids = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id)

test('past its size the file becomes .1 and a new one begins, and no row is lost or cut', async () => {
  const path = join(scratchDir(), 'rejects.jsonl')
  await using log = await RejectLog.open(path, 500)
  for (let k = 0; k < 9; k += 1) await log.append(row(k))
  expect([...ids(`${path}.1`), ...ids(path)]).toEqual(Array.from({ length: 9 }, (_, k) => `ep-${k}`))
  expect(readFileSync(`${path}.1`).length).toBeGreaterThan(500)
})

test('refusals that come at once while the file is full make one rotation', async () => {
  const path = join(scratchDir(), 'rejects.jsonl')
  await using log = await RejectLog.open(path, 500)
  for (let k = 0; k < 7; k += 1) await log.append(row(k))
  expect(existsSync(`${path}.1`)).toBe(false)
  await Promise.all([7, 8, 9].map((k) => log.append(row(k))))
  expect(ids(`${path}.1`)).toHaveLength(7)
  expect(ids(path).sort()).toEqual(['ep-7', 'ep-8', 'ep-9'])
})

test('rows stay over a restart', async () => {
  const path = join(scratchDir(), 'rejects.jsonl')
  for (let k = 0; k < 2; k += 1) {
    await using log = await RejectLog.open(path)
    await log.append(row(k))
  }
  expect(ids(path)).toEqual(['ep-0', 'ep-1'])
})

test('a full file that cannot be moved away goes on growing, and no row is lost', async () => {
  const path = join(scratchDir(), 'rejects.jsonl')
  mkdirSync(`${path}.1`)
  await using log = await RejectLog.open(path, 100)
  for (let k = 0; k < 4; k += 1) await log.append(row(k))
  expect(ids(path)).toEqual(['ep-0', 'ep-1', 'ep-2', 'ep-3'])
})
