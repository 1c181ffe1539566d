import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { BenchReport } from '../../bench/frame/report.ts'

test('the bench of the index runs, and all find the same hosts in it', async () => {
  const args = ['bench/main.ts', 'fold', '--quick', '--rows', '5000', '--json']
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const { series } = JSON.parse(stdout) as BenchReport
  expect(series.flatMap(({ left_out }) => left_out)).toEqual([])
  const goals = series.flatMap((one) => one.goals)
  expect(goals.map(({ what }) => what)).toEqual([
    'time of a cold fold against wc -l',
    'speed of a cold fold against readline and JSON.parse',
    '1,000 in 500',
    '1,000 in 5,000',
  ])
  for (const { value, verdict } of goals) expect([Number.isFinite(value), verdict]).toEqual([true, 'not-judged'])
})
