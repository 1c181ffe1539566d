/** Which word of the receiver on updates counts, for how long, and for which commit. */
import { describe, expect, it } from 'vitest'
import { allowedFor, isFresh, standing } from '../../../packages/agent/src/core/update-allowed.ts'

const minute = 60_000
const now = Date.parse('2026-11-21T12:00:00Z')
const [head, other] = ['a'.repeat(40), 'b'.repeat(40)]
const may = { allowed: true, reason: 'proven', text: 'well', wave: 1, commit: head }
const held = { ...may, allowed: false, reason: 'behind' }
const at = (ago: number, answer = may) => ({ answer, at: now - ago })

describe('the last answer', () => {
  it.each([
    ['just now', at(0), true],
    ['five minutes ago', at(5 * minute), true],
    ['longer ago', at(5 * minute + 1), false],
    ['in the future: the clock was set back', at(-1), false],
    ['never', undefined, false],
  ])('that came %s', (_, last, fresh) => {
    expect(isFresh(last, { wave: 1, commit: undefined }, now)).toBe(fresh)
  })

  it('is asked for anew when it was about another wave or commit', () => {
    expect(isFresh(at(0), { wave: 2, commit: undefined }, now)).toBe(false)
    expect(isFresh(at(0), { wave: 1, commit: other }, now)).toBe(false)
    expect(isFresh(at(0), { wave: 1, commit: head }, now)).toBe(true)
  })

  it('stands for a day without a receiver if it held, and not at all if it allowed', () => {
    expect(standing(at(minute), now)).toBeUndefined()
    expect(standing(at(24 * 60 * minute, held), now)).toMatchObject({ answer: held })
    expect(standing(at(24 * 60 * minute + 1, held), now)).toBeUndefined()
    expect(standing(at(-1, held), now)).toBeUndefined()
    expect(standing(undefined, now)).toBeUndefined()
  })
})

describe('a permission', () => {
  it('is for the head that was judged, and for no commit that came after', () => {
    expect(allowedFor(may, { wave: 1, commit: head })).toMatchObject({ allowed: true, reason: 'proven' })
    expect(allowedFor(may, { wave: 1, commit: other })).toMatchObject({ allowed: false, reason: 'other-commit' })
    expect(allowedFor({ ...may, reason: 'current' }, { wave: 1, commit: other })).toMatchObject({ allowed: false })
  })

  it('is for every commit in wave 0, and from a receiver that knows no head', () => {
    expect(allowedFor(may, { wave: 0, commit: other }).allowed).toBe(true)
    expect(allowedFor({ allowed: true, reason: 'a-newer-word' }, { wave: 1, commit: other })).toEqual({
      allowed: true,
      reason: 'a-newer-word',
      text: '',
    })
  })

  it('that is none stays none', () => {
    expect(allowedFor(held, { wave: 1, commit: other })).toMatchObject({ allowed: false, reason: 'behind' })
  })
})
