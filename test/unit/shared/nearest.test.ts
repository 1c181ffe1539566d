import { counted } from '@cis490/shared/counted.ts'
import { nearest } from '@cis490/shared/nearest.ts'
import { expect, test } from 'vitest'

const keys = ['rate_limit', 'windows', 'rescan', 'concurrency', 'url', 'name']

test.each([
  ['rate_limt', ['rate_limit']],
  ['ratelimit', ['rate_limit']],
  ['Windows', ['windows']],
  ['window', ['windows']],
  ['concurency', ['concurrency']],
  ['reserve', []],
  ['x', []],
])('%s may have meant %j', (text, meant) => expect(nearest(text, keys, 1)).toEqual(meant))

test('one is one', () => {
  expect([counted(0, 'row'), counted(1, 'row'), counted(2, 'row'), counted(2, 'entry', 'entries')]).toEqual([
    '0 rows',
    '1 row',
    '2 rows',
    '2 entries',
  ])
})
