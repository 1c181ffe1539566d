/** The schedule of the CA and of the server certificate, with time as a parameter. */
import { describe, expect, test } from 'vitest'
import { Attempts } from '../../../packages/receiver/src/core/attempts.ts'
import {
  type AuthorityFacts,
  authorityPlan,
  backdated,
  learningTime,
  renewalAt,
  type ServerFacts,
  serverPlan,
} from '../../../packages/receiver/src/core/ca-plan.ts'
import { isRevoked, revokedBy } from '../../../packages/receiver/src/core/revocation.ts'

const day = 86_400_000
const lifetime = 30 * day
const first: AuthorityFacts = { validFrom: 0, validTo: 3650 * day, hasKey: true }

describe('an authority of ten years', () => {
  test('is made where there is none', () => {
    expect(authorityPlan([], 0, lifetime)).toEqual({ issuer: undefined, successor: 'due', ended: [] })
  })

  test('signs alone until a year before its end, then it gets a successor', () => {
    expect(authorityPlan([first], 1, lifetime)).toEqual({ issuer: 0, successor: 'not-yet', ended: [] })
    expect(authorityPlan([first], 3285 * day, lifetime).successor).toBe('not-yet')
    expect(authorityPlan([first], 3285 * day + 1, lifetime)).toEqual({ issuer: 0, successor: 'due', ended: [] })
  })

  test('signs on while hosts learn the successor, which signs after that, and goes when it has ended', () => {
    const made = 3286 * day
    const both = [first, { validFrom: made, validTo: made + 3650 * day, hasKey: true }]
    expect(learningTime(lifetime)).toBe(90 * day)
    expect(authorityPlan(both, made + 90 * day - 1, lifetime)).toEqual({ issuer: 0, successor: 'not-yet', ended: [] })
    expect(authorityPlan(both, made + 90 * day, lifetime).issuer).toBe(1)
    expect(authorityPlan(both, first.validTo, lifetime)).toEqual({ issuer: 1, successor: 'not-yet', ended: [0] })
  })

  test('a host that renews on time always knows who signed, over forty years looked at daily', () => {
    let all = [first]
    let [known, certificate, joined] = [[first], { validTo: lifetime, by: first }, 0]
    for (let now = day; now < 14_600 * day; now += day) {
      const plan = authorityPlan(all, now, lifetime)
      all = all.filter((_, at) => !plan.ended.includes(at))
      if (plan.successor === 'due') all.push({ validFrom: now, validTo: now + 3650 * day, hasKey: true })
      const issuer = all[authorityPlan(all, now, lifetime).issuer as number] as AuthorityFacts
      if (now - joined < lifetime * (2 / 3)) continue
      expect(known).toContain(issuer)
      expect(certificate.validTo).toBeGreaterThan(now)
      expect(all).toContain(certificate.by)
      known = all
      certificate = { validTo: Math.min(now + lifetime, issuer.validTo), by: issuer }
      joined = now
    }
    expect(all[0]?.validFrom).toBeGreaterThan(9000 * day)
  })

  test('without its key is no reason to make another one unasked; one that is there signs at once', () => {
    const lost = { ...first, hasKey: false }
    expect(authorityPlan([lost], day, lifetime)).toEqual({ issuer: undefined, successor: 'lost-key', ended: [] })
    const after = [lost, { validFrom: day, validTo: 3651 * day, hasKey: true }]
    expect(authorityPlan(after, day, lifetime)).toEqual({ issuer: 1, successor: 'not-yet', ended: [] })
  })

  test('that has ended unseen is followed by a new one', () => {
    expect(authorityPlan([first], 4000 * day, lifetime)).toEqual({ issuer: undefined, successor: 'due', ended: [0] })
  })

  test('on a clock before its time signs nothing, and gets no successor', () => {
    expect(authorityPlan([{ ...first, validFrom: day }], 0, lifetime)).toEqual({
      issuer: undefined,
      successor: 'not-yet',
      ended: [],
    })
  })
})

describe('the server certificate', () => {
  const names = ['receiver.lab', '192.0.2.1']
  const fresh: ServerFacts = { validFrom: 0, validTo: 60_000, ours: true, fits: true, names }
  const at = (now: number, change: Partial<ServerFacts> = {}) => serverPlan({ ...fresh, ...change }, names, now)

  test('of 60 s is renewed at 40 s', () => {
    expect(renewalAt(fresh)).toBe(40_000)
    expect([at(39_999), at(40_000), at(70_000)]).toEqual(['fresh', 'due', 'due'])
  })

  test('is made where it is missing, has other names or another key', () => {
    expect(serverPlan(undefined, names, 0)).toBe('missing')
    expect(at(1, { fits: false })).toBe('unfit')
    expect(at(1, { names: ['receiver.lab'] })).toBe('other-names')
    expect(at(1, { names: ['192.0.2.1', 'receiver.lab'] })).toBe('fresh')
  })

  test('of another authority is left alone, whatever is wrong with it', () => {
    expect(at(70_000, { ours: false, fits: false, names: [] })).toBe('not-ours')
  })

  test('begins a little before now: five minutes, of a short one a sixtieth', () => {
    expect(1e9 - backdated(1e9, 30 * day)).toBe(300_000)
    expect(1e9 - backdated(1e9, 60_000)).toBe(1000)
  })
})

test('attempts are counted for each key and a window', () => {
  const attempts = new Attempts({ most: 2, windowMs: 1000, mostKeys: 2 })
  attempts.note('a', 0)
  expect(attempts.wait('a', 1)).toBe(0)
  attempts.note('a', 500)
  expect([attempts.wait('a', 600), attempts.wait('b', 600)]).toEqual([400, 0])
  expect(attempts.wait('a', 1000)).toBe(0)
  attempts.note('a', 1000)
  expect(attempts.wait('a', 1001)).toBe(0)
  for (const key of ['b', 'c', 'c']) attempts.note(key, 1001)
  attempts.note('b', 1001)
  expect([attempts.wait('b', 1002), attempts.wait('c', 1002)]).toEqual([999, 999])
})

test('a revoked host is out with all that goes back to a join before, and comes in by a later one', () => {
  const revoked = revokedBy([
    { at: 50, host: 'lab-07' },
    { at: 100, host: 'lab-07' },
    { at: 70, host: 'lab-07' },
    { at: 1, fingerprint: 'ff' },
  ])
  const is = (host: string, joinedAt: number, fingerprint = 'aa') => isRevoked(revoked, { host, joinedAt, fingerprint })
  expect([is('lab-07', 99), is('lab-07', 100), is('lab-07', 101), is('lab-08', 1)]).toEqual([true, true, false, false])
  expect(is('lab-08', 999, 'ff')).toBe(true)
})
