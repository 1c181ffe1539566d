/** Staged updates: who may take the head of the branch, for every way a wave can stand. */
import { describe, expect, it } from 'vitest'
import { hostWord } from '../../../packages/receiver/src/core/host-word.ts'
import { judgeUpdate, type UpdateQuestion } from '../../../packages/receiver/src/core/rollout.ts'
import type { WaveHost } from '../../../packages/receiver/src/core/wave-progress.ts'

const minute = 60_000
const hour = 60 * minute
const now = Date.parse('2026-11-21T12:00:00Z')
const head = 'a'.repeat(40)
const older = 'b'.repeat(40)

/** A host that took the head two hours ago and reported well. */
function host(wave: number, more: Partial<WaveHost> = {}, name = `lab-${wave}`): WaveHost {
  const report = { at: now - hour, commit: head, outcome: 'pass' }
  return { host: name, wave, commit: head, since: now - 2 * hour, heardAt: now - minute, report, ...more }
}

function ask(hosts: readonly WaveHost[], more: Partial<UpdateQuestion> = {}) {
  const question = { wave: 1, commit: older, hold: undefined, head, headSeenAt: now - 3 * hour, soak: hour, share: 0.5, now }
  const { allowed, reason, text } = judgeUpdate({ ...question, hosts, ...more })
  expect(text).toMatch(/\w{3}/)
  return [allowed, reason]
}

describe('a canary', () => {
  it('takes every head, known here or not', () => {
    expect(ask([], { wave: 0 })).toEqual([true, 'canary'])
    expect(ask([], { wave: 0, head: undefined })).toEqual([true, 'canary'])
  })

  it('is held by the operator alone', () => {
    expect(ask([], { wave: 0, hold: {} })).toEqual([false, 'hold-update'])
    expect(judgeUpdate({ ...question(), hold: { reason: 'exams' } }).text).toBe('held by the operator: exams')
  })
})

describe('a later wave', () => {
  it('waits for a head that nobody knows', () => {
    expect(ask([host(0)], { head: undefined })).toEqual([false, 'head-unknown'])
  })

  it('may stay where it is when it runs the head', () => {
    expect(ask([], { commit: head })).toEqual([true, 'current'])
  })

  it('follows when the canary runs the head well for the time', () => {
    expect(ask([host(0)])).toEqual([true, 'proven'])
    expect(ask([host(0, { report: { at: now - hour, commit: head, outcome: 'warn' } })])).toEqual([true, 'proven'])
  })

  it.each([
    ['behind', { commit: older }],
    ['behind', { commit: undefined }],
    ['unreported', { report: undefined }],
    ['unreported', { report: { at: now - hour, commit: older, outcome: 'pass' } }],
    ['unreported', { report: { at: now - hour, commit: head } }],
    ['unreported', { report: { at: now - 3 * hour, commit: head, outcome: 'pass' } }],
    ['unwell', { report: { at: now - hour, commit: head, outcome: 'fail' } }],
    ['soaking', { since: now - hour + minute }],
    ['rolled-back', { commit: older, report: { at: now, commit: older, outcome: 'pass', rolledBackFrom: head } }],
  ] as const)('waits: %s', (reason, more) => {
    expect(ask([host(0, more)])).toEqual([false, reason])
  })

  it('takes a report that came a moment before the new daemon was heard', () => {
    const since = now - 2 * hour
    expect(ask([host(0, { since, report: { at: since - minute, commit: head, outcome: 'pass' } })])).toEqual([true, 'proven'])
  })

  it('is not let go by a canary that fell silent after the update', () => {
    expect(ask([host(0, { since: now - 20 * hour, heardAt: now - 20 * hour + minute })])).toEqual([false, 'soaking'])
  })

  it('needs the share of each wave before, of one host that one', () => {
    const stuck = host(0, { commit: older }, 'lab-b')
    expect(ask([host(0), stuck])).toEqual([true, 'proven'])
    expect(ask([host(0), stuck], { share: 0.6 })).toEqual([false, 'behind'])
    expect(ask([host(0), stuck, host(0, { commit: older }, 'lab-c')])).toEqual([false, 'behind'])
    expect(ask([host(0)], { share: 0.01 })).toEqual([true, 'proven'])
    expect(ask([stuck], { share: 0.01 })).toEqual([false, 'behind'])
  })

  it('waits for every wave before, and for none behind', () => {
    const hosts = [host(0), host(2, { commit: older }), host(5, { commit: older })]
    expect(ask(hosts, { wave: 2 })).toEqual([true, 'proven'])
    expect(ask(hosts, { wave: 3 })).toEqual([false, 'behind'])
    expect(judgeUpdate({ ...question(), hosts, wave: 3 }).text).toBe(
      'wave 2: 0 of 1 host runs it well, 1 must; others do not run it yet',
    )
  })

  it('is held by one host that went back, however many run it well', () => {
    const back = { at: now, commit: older, outcome: 'pass', rolledBackFrom: head }
    expect(ask([host(0), host(0, {}, 'lab-b'), host(0, { commit: older, report: back }, 'lab-c')])).toEqual([
      false,
      'rolled-back',
    ])
    expect(ask([host(0), host(0, { report: { ...back, rolledBackFrom: older } }, 'lab-c')])[1]).not.toBe('rolled-back')
  })

  it('follows after the time where nobody goes ahead', () => {
    expect(ask([])).toEqual([true, 'no-canaries'])
    expect(ask([host(1), host(2)])).toEqual([true, 'no-canaries'])
    expect(ask([], { headSeenAt: now - hour + 1 })).toEqual([false, 'soaking'])
    expect(ask([], { headSeenAt: now - hour })).toEqual([true, 'no-canaries'])
    expect(ask([], { headSeenAt: undefined })).toEqual([false, 'soaking'])
    expect(ask([], { headSeenAt: now + hour }), 'a clock that was set back').toEqual([false, 'soaking'])
  })
})

function question(): UpdateQuestion {
  return { wave: 1, commit: older, hold: undefined, head, headSeenAt: now - 3 * hour, hosts: [], soak: hour, share: 0.5, now }
}

describe('the word of a report', () => {
  it('is its commit and outcome, and what it went back from', () => {
    const update = { at: 'x', from: older, to: head.toUpperCase(), outcome: 'rolled-back', reason: 'not ready' }
    expect(hostWord({ commit: older, outcome: 'warn', update }, 5)).toEqual({
      at: 5,
      commit: older,
      outcome: 'warn',
      rolledBackFrom: head,
    })
  })

  it.each(['failed', 'refused', 'held', 'updated'])('an update that ended as %s blames no commit', (outcome) => {
    expect(hostWord({ update: { outcome, to: head } }, 5).rolledBackFrom).toBeUndefined()
  })

  it.each([
    undefined,
    {},
    { commit: 5, outcome: 'great', update: null },
    { update: 'rolled-back' },
    { update: { outcome: 'rolled-back' } },
  ])('of another shape (%j) says nothing', (report) => {
    expect(hostWord(report, 5)).toEqual({ at: 5 })
  })
})
