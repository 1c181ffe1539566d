import { describe, expect, test } from 'vitest'
import { isAllowed, nextOpening, parseWindow, type Window } from '../../../packages/agent/src/core/windows.ts'
import { wallClock } from '../../../packages/agent/src/ship/local-time.ts'

const utc = wallClock('UTC')
const berlin = wallClock('Europe/Berlin')

function windows(...texts: string[]): Window[] {
  return texts.map((text) => {
    const window = parseWindow(text)
    if (typeof window === 'string') throw new Error(window)
    return window
  })
}

const inside = (text: string, at: string, local = utc) => isAllowed(windows(text), Date.parse(at), local)

// 2026-11-16 is a Monday.
describe.each([
  ['22:00..06:00', ['2026-11-18T22:00Z', '2026-11-18T23:59Z', '2026-11-19T05:59Z'], ['2026-11-18T21:59Z', '2026-11-19T06:00Z']],
  ['22:00-06:00', ['2026-11-18T22:00Z'], ['2026-11-18T12:00Z']],
  ['01:00..05:00', ['2026-11-18T01:00Z', '2026-11-18T04:59Z'], ['2026-11-18T05:00Z', '2026-11-18T00:59Z']],
  ['*-*-* 01:00..05:00', ['2026-11-18T02:00Z'], ['2026-11-18T06:00Z']],
  [
    'Mon..Fri 20:00..06:00',
    ['2026-11-16T20:00Z', '2026-11-20T23:00Z', '2026-11-21T05:59Z'],
    ['2026-11-16T05:00Z', '2026-11-21T20:00Z', '2026-11-21T06:00Z', '2026-11-22T05:00Z'],
  ],
  ['Sat,Sun', ['2026-11-21T00:00Z', '2026-11-22T23:59Z'], ['2026-11-20T23:59Z', '2026-11-23T00:00Z']],
  ['Fri..Mon', ['2026-11-20T12:00Z', '2026-11-22T12:00Z', '2026-11-23T12:00Z'], ['2026-11-24T12:00Z', '2026-11-19T12:00Z']],
  ['saturday 20:00..24:00', ['2026-11-21T23:59Z'], ['2026-11-22T00:00Z']],
  ['*-*-01..07 02:00..03:00', ['2026-11-07T02:30Z'], ['2026-11-08T02:30Z']],
  ['2026-12-24', ['2026-12-24T12:00Z'], ['2027-12-24T12:00Z', '2026-12-25T00:00Z']],
  ['2026-12-31 22:00..02:00', ['2026-12-31T23:00Z', '2027-01-01T01:59Z'], ['2026-12-31T01:00Z', '2027-01-01T22:30Z']],
  [
    'Mon..Fri 20..23:*',
    ['2026-11-16T20:00Z', '2026-11-16T23:59Z'],
    ['2026-11-16T19:59Z', '2026-11-17T00:00Z', '2026-11-21T21:00Z'],
  ],
  ['*:00..14', ['2026-11-16T09:14Z'], ['2026-11-16T09:15Z']],
])('the window %s', (text, yes, no) => {
  test.each(yes)('is open at %s', (at) => expect(inside(text, at)).toBe(true))
  test.each(no)('is closed at %s', (at) => expect(inside(text, at)).toBe(false))
})

test.each([
  ['', 'it is empty'],
  ['daily', 'names no days'],
  ['Mon..Fry 20:00..22:00', 'names no days'],
  ['22:00', 'is a moment'],
  ['22:00..25:00', 'no time of a day'],
  ['22:61..23:00', 'no time of a day'],
  ['08:00..08:00', 'begins and ends at once'],
  ['Mon 20:00..22:00 tomorrow', '"tomorrow" is not understood'],
  ['20:00..22:00 Mon', '"Mon" is not understood'],
  ['Mon-Fri', 'names no days, write Mon..Fri;'],
  ['22-06', 'is no date; write 22:00..06:00;'],
  ['*-13-01', 'no date'],
  ['2026-12', 'no date'],
  ['22h..23h', '"22h..23h" is not understood'],
])('%j is no window, and the reason says so', (text, why) => {
  const found = parseWindow(text)
  expect(found).toContain(why)
  expect(found).toContain('write it like')
})

test('several windows: one open is enough; none: always', () => {
  const both = windows('22:00..23:00', 'Sat,Sun')
  expect(isAllowed(both, Date.parse('2026-11-21T12:00Z'), utc)).toBe(true)
  expect(isAllowed(both, Date.parse('2026-11-20T12:00Z'), utc)).toBe(false)
  expect(isAllowed([], Date.parse('2026-11-20T12:00Z'), utc)).toBe(true)
})

describe('when daylight saving time begins and ends, the wall clock decides', () => {
  // Berlin: 2026-03-29 02:00 becomes 03:00; 2026-10-25 03:00 becomes 02:00.
  test('an hour that is left out opens nothing', () => {
    const opening = nextOpening(windows('*-03-29 02:00..03:00'), Date.parse('2026-03-29T00:00Z'), berlin)
    expect(opening).toBeUndefined()
  })
  test('a span that begins in the hour that is left out opens at its end', () => {
    const opening = nextOpening(windows('02:30..04:00'), Date.parse('2026-03-29T00:00Z'), berlin)
    expect(new Date(opening ?? 0).toISOString()).toBe('2026-03-29T01:00:00.000Z')
  })
  test('an hour that comes twice is open twice', () => {
    expect(inside('02:00..03:00', '2026-10-25T00:30Z', berlin)).toBe(true)
    expect(inside('02:00..03:00', '2026-10-25T01:30Z', berlin)).toBe(true)
    expect(inside('02:00..03:00', '2026-10-25T02:00Z', berlin)).toBe(false)
  })
  test('a night is an hour shorter or longer', () => {
    const minutes = (from: string) =>
      Array.from({ length: 24 * 60 }, (_, k) => Date.parse(from) + k * 60_000).filter((at) =>
        isAllowed(windows('22:00..06:00'), at, berlin),
      ).length
    expect(minutes('2026-03-28T12:00Z')).toBe(7 * 60)
    expect(minutes('2026-10-24T12:00Z')).toBe(9 * 60)
    expect(minutes('2026-11-18T12:00Z')).toBe(8 * 60)
  })
})

test('the next opening is the beginning of the nearest window, to the minute', () => {
  const next = (at: string, ...texts: string[]) => {
    const opening = nextOpening(windows(...texts), Date.parse(at), utc)
    return opening === undefined ? undefined : new Date(opening).toISOString()
  }
  expect(next('2026-11-20T12:34:56Z', 'Mon 20:00..22:00', 'Sun')).toBe('2026-11-22T00:00:00.000Z')
  expect(next('2026-11-20T12:34:56Z', '12:36..12:40')).toBe('2026-11-20T12:36:00.000Z')
  expect(next('2026-11-20T12:34:56Z', '*-06-01')).toBeUndefined()
})
