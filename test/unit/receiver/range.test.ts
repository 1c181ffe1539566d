import { expect, test } from 'vitest'
import { parseRange } from '../../../packages/receiver/src/core/range.ts'

test.each([
  ['bytes=0-', [0, 99]],
  ['bytes=0-0', [0, 0]],
  ['bytes=10-19', [10, 19]],
  ['bytes=90-200', [90, 99]],
  ['bytes=99-99', [99, 99]],
  ['bytes=-10', [90, 99]],
  ['bytes=-500', [0, 99]],
  [' bytes=5-6 ', [5, 6]],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=100-200', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=9-5', undefined],
  ['bytes=-', undefined],
  ['bytes=0-1,5-6', undefined],
  ['rows=0-1', undefined],
  ['bytes=a-b', undefined],
  ['', undefined],
  [undefined, undefined],
])('of 100 bytes, %j asks for %j', (value, range) => {
  expect(parseRange(value, 100)).toEqual(range)
})

test('of no bytes every range is unsatisfiable', () => {
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable')
  expect(parseRange('bytes=-1', 0)).toBe('unsatisfiable')
})
