/** The schedule of renewals, with time as a parameter. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseJoinToken } from '../../../packages/agent/src/core/join-token.ts'
import { dueAt, graceMs, type RenewalFacts, renewalPlan } from '../../../packages/agent/src/core/renewal-plan.ts'

const second = 1000
const day = 86_400_000
const begin = Date.parse('2026-11-01T00:00:00Z')
const month = life('00000000', 30 * day)

function life(fingerprint: string, length: number): RenewalFacts {
  return { from: begin, to: begin + length, fingerprint: fingerprint.padEnd(64, '0'), renewAt: 2 / 3 }
}

test('a certificate of 30 days is renewed after 20 days, one of 60 s after 40 s, and not before', () => {
  for (const [length, due] of [
    [30 * day, 20 * day],
    [60 * second, 40 * second],
  ] as const) {
    const facts = life('00000000', length)
    expect(renewalPlan(facts, begin + due - 1)).toEqual({ go: 'wait', reason: 'not-due', until: begin + due })
    expect(renewalPlan(facts, begin + due)).toEqual({ go: 'renew', reason: 'due' })
  }
})

test('hosts that joined together come up to a twentieth of the time earlier, each always at its own', () => {
  const due = ['00000000', '40000000', '80000000', 'ffffffff'].map((print) => (dueAt(life(print, 30 * day)) - begin) / day)
  expect(due.map((days) => days.toFixed(2))).toEqual(['20.00', '19.75', '19.50', '19.00'])
})

test('the due time lies within the life, at or before the part that is asked for, whatever the certificate is', () => {
  const hex = fc.integer({ min: 0, max: 0xffffffff }).map((value) => value.toString(16).padStart(8, '0'))
  const share = fc.double({ min: 0.01, max: 0.99, noNaN: true })
  fc.assert(
    fc.property(hex, share, fc.integer({ min: 1, max: 3650 * day }), (print, renewAt, length) => {
      const due = dueAt({ ...life(print, length), renewAt })
      expect(due).toBeGreaterThan(begin)
      expect(due).toBeLessThanOrEqual(begin + length * renewAt)
      expect(due).toBeGreaterThanOrEqual(begin + length * renewAt * 0.95 - 1)
    }),
  )
})

test('until 30 days after its end it brings its successor, and no longer', () => {
  expect(renewalPlan(month, month.to + 1)).toEqual({ go: 'renew', reason: 'expired' })
  expect(renewalPlan(month, month.to + graceMs - 1)).toEqual({ go: 'renew', reason: 'expired' })
  expect(renewalPlan(month, month.to + graceMs)).toEqual({ go: 'cannot', reason: 'expired-too-long' })
})

test('after a failure it waits, and not longer than any wait of ours lasts: a clock that was wrong strands nothing', () => {
  const now = begin + 21 * day
  const last = { fingerprint: month.fingerprint, failures: 3 }
  const until = now + 60 * second
  expect(renewalPlan({ ...month, last: { ...last, next_at: until } }, now)).toEqual({ go: 'wait', reason: 'backing-off', until })
  expect(renewalPlan({ ...month, last: { ...last, next_at: until } }, until)).toMatchObject({ go: 'renew' })
  expect(renewalPlan({ ...month, last: { ...last, next_at: now + 40 * day } }, now)).toMatchObject({ go: 'renew' })
})

test('the failures of another certificate hold this one up for nothing', () => {
  const now = begin + 21 * day
  const last = { fingerprint: 'f'.repeat(64), failures: 9, next_at: now + 60 * second }
  expect(renewalPlan({ ...month, last }, now)).toMatchObject({ go: 'renew' })
})

test('a certificate that is dated back by most of its life is not fetched anew at once', () => {
  const fetched = begin + 300 * second
  const short = { ...life('00000000', 360 * second), last: { fingerprint: month.fingerprint, failures: 0, fetched_at: fetched } }
  expect(renewalPlan(short, fetched)).toEqual({ go: 'wait', reason: 'not-due', until: fetched + 40 * second })
})

test('a time of fetching that lies outside of the life, by a wrong clock, moves the due time out of it nowhere', () => {
  for (const fetched_at of [0, begin - day, month.to + 400 * day]) {
    const due = dueAt({ ...month, last: { fingerprint: month.fingerprint, failures: 0, fetched_at } })
    expect(due).toBeGreaterThan(begin)
    expect(due).toBeLessThanOrEqual(month.to)
  }
})

const secret = 'A'.repeat(43)
const pin = 'c'.repeat(64)

test('a join token is taken with the line end behind it', () => {
  const text = `0badcafe.${secret}.${pin}`
  expect(parseJoinToken(` ${text}\n`)).toEqual({ text, id: '0badcafe', caPin: pin })
})

test.each([
  ['', /empty/],
  [`0badcafe.${secret}`, /2 of 3 parts/],
  [`0BADCAFE.${secret}.${pin}`, /first part/],
  [`0badcafe.${secret.slice(1)}.${pin}`, /second part/],
  [`0badcafe.${secret}.${pin.slice(1)}`, /third part/],
])('what is no join token is told by its part, and not shown: %#', (text, reason) => {
  const said = parseJoinToken(text)
  expect(said).toMatch(reason)
  expect(said).not.toContain(secret.slice(1))
})
