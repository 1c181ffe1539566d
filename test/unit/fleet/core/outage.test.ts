import { awaySince, foldPresence, type Presence, presentTime } from '@cis490/fleet/core/outage.ts'
import { rowsUpTo } from '@cis490/fleet/core/time.ts'
import { expect, test } from 'vitest'

const t = (clock: string) => Date.parse(`2026-11-21T${clock}:00Z`)
const minute = 60_000

function presence(...rows: [string, string][]): Presence {
  const value: Presence = { last: undefined, down: [] }
  for (const [clock, event] of rows) foldPresence(value, { at: `2026-11-21T${clock}:00Z`, event }, rowsUpTo(t('23:59')))
  return value
}

test.each<[string, Presence, string, string, number]>([
  ['nothing was ever written: the receiver counts as there', presence(), '08:00', '10:00', 120],
  ['what lies before the first row counts as there', presence(['09:59', 'up'], ['10:00', 'alive']), '08:00', '10:00', 120],
  [
    'from down to up it was away',
    presence(['09:00', 'alive'], ['09:01', 'down'], ['09:31', 'up'], ['09:32', 'alive']),
    '08:00',
    '09:32',
    62,
  ],
  ['a restart of a minute counts too', presence(['09:00', 'alive'], ['09:01', 'down'], ['09:02', 'up']), '09:00', '09:02', 1],
  [
    'a kill shows as a gap in the minutes',
    presence(['09:00', 'alive'], ['09:30', 'up'], ['09:31', 'alive']),
    '08:30',
    '09:31',
    31,
  ],
  ['one lost line is no gap', presence(['09:00', 'alive'], ['09:02', 'alive']), '09:00', '09:02', 2],
  ['only the part of an outage that overlaps is taken off', presence(['09:00', 'down'], ['10:00', 'up']), '09:45', '10:00', 0],
  ['it went down and is still away', presence(['09:00', 'alive'], ['09:01', 'down']), '08:51', '10:00', 10],
  ['it was killed and is still away', presence(['09:00', 'alive']), '08:51', '10:00', 9],
])('%s', (_sentence, value, from, to, minutes) => {
  expect(presentTime(value, t(from), { at: t(to), clock: t('23:59') }) / minute).toBe(minutes)
})

test('a clock that stepped back adds no outage', () => {
  const value = presence(['09:00', 'alive'], ['08:00', 'alive'], ['09:01', 'alive'])
  expect(value.down).toEqual([])
  expect(awaySince(value, { at: t('09:02'), clock: t('23:59') })).toBeUndefined()
  expect(awaySince(value, { at: t('09:30'), clock: t('23:59') })).toBe(t('09:01'))
})

test('a moment that is still to come: minutes that nobody could log yet are no absence, but a receiver that said it goes stays away', () => {
  const standpoint = { at: t('10:00'), clock: t('09:01') }
  expect(presentTime(presence(['08:59', 'up'], ['09:00', 'alive']), t('09:00'), standpoint) / minute).toBe(60)
  expect(presentTime(presence(['08:59', 'up'], ['09:00', 'down']), t('09:00'), standpoint) / minute).toBe(0)
})
