import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { points, steps, uncut } from '../../../scripts/updates/points.ts'

test('a function with more commands than are cut was not told', () => {
  const all = points()
  const swaps = all.filter(({ cut }) => cut.startsWith('inside:swap:'))
  expect(uncut(swaps.slice(0, -1))).toEqual([])
  expect(uncut(swaps)).toEqual(['swap'])
  expect(uncut(all)).toEqual(['swap', 'start_them', 'stop_them', 'bring_back', 'undo'])
})

test('each step is a point, from the first look to the last', () => {
  expect([steps().at(0), steps().at(-1)]).toEqual(['step_look', 'step_settle'])
})

test.each([
  [['--fast'], /Unknown option '--fast'/],
  [['--only', 'nothing of the kind'], /--only: nothing has "nothing of the kind" in its name/],
])('the harness is told %s, and says what is wrong with it', (args, said) => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, '../../../scripts/updates/main.ts'), ...args],
    {
      encoding: 'utf8',
    },
  )
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(said) })
  expect(stderr).not.toMatch(/^ +at /m)
})
