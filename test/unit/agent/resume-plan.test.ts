import { problem } from '@cis490/shared/problems.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Answer, FaultCode } from '../../../packages/agent/src/core/answer.ts'
import { nextStep, type Patience, type Step, stillPatient, wantsResume } from '../../../packages/agent/src/core/resume-plan.ts'

const upload = { id: 'ep-1', bytes: 1000 }
const answer = (status: number, headers: Record<string, string> = {}, body = ''): Answer => ({
  kind: 'answer',
  status,
  headers,
  body,
})
const at = (offset: number, status = 204, more = {}) =>
  answer(status, { 'upload-offset': String(offset), 'upload-complete': '?0', ...more })
const refusal = (code: Parameters<typeof problem>[0], members = {}): Answer => {
  const body = problem(code, 'because', members)
  return { kind: 'answer', status: body.status, headers: {}, body: JSON.stringify(body), problem: body }
}
const fault = (code: FaultCode): Answer => ({ kind: 'fault', code, message: 'm' })

describe('wantsResume', () => {
  const mib = 1024 * 1024
  test.each([
    ['32 MiB is sent in one piece', { bytes: 32 * mib }, false],
    ['more is not', { bytes: 32 * mib + 1 }, true],
    ['what has an upload goes on there', { bytes: 5, upload_url: '/v1/uploads/x' }, true],
    ['what was cut', { bytes: 5, last: { code: 'connection-cut' } }, true],
    ['what got no answer', { bytes: 5, last: { code: 'answer-timeout' } }, true],
    ['what was too slow', { bytes: 5, last: { code: 'too-slow' } }, true],
    ['what was refused is not', { bytes: 5, last: { code: 'internal' } }, false],
    ['what never left is not', { bytes: 5, last: { code: 'connection-refused' } }, false],
  ])('%s', (_, entry, wanted) => {
    expect(wantsResume(entry)).toBe(wanted)
  })
})

describe('nextStep', () => {
  const create: Step = { do: 'create' }
  const ask: Step = { do: 'ask' }
  const append: Step = { do: 'append', offset: 100 }
  const finish: Step = { do: 'finish', offset: 1000 }

  test.each<[string, Step, Answer, object]>([
    ['a new upload is sent from the start', create, at(0, 201), { step: { do: 'append', offset: 0 } }],
    ['an open one is asked what it has', create, at(300, 201), { step: ask }],
    ['a stored episode is answered at once', create, answer(200, { 'upload-complete': '?1' }, '{}'), { end: 'answered' }],
    ['a receipt for no bytes proves nothing', create, answer(201, {}, '{"id":"ep-1"}'), { end: 'plain' }],
    ['a portal is no receiver', create, answer(200, {}, '<html>'), { end: 'answered' }],
    ['a receiver that wanted a body', create, refusal('sha256-mismatch'), { end: 'plain' }],
    ['no such route', create, refusal('not-found'), { end: 'plain' }],
    ['no such method', create, answer(405), { end: 'plain' }],
    ['the gate refuses before a byte flows', create, refusal('commit-not-in-window'), { end: 'answered' }],
    ['nobody there', create, fault('connection-refused'), { end: 'answered' }],
    ['a creation that was cut is not tried again at once', create, fault('connection-cut'), { end: 'answered' }],

    ['it goes on where the receiver is', ask, at(300), { step: { do: 'append', offset: 300 }, reason: 'known' }],
    ['all was sent, and only the end is missing', ask, at(1000), { step: finish }],
    ['the answer got lost', ask, at(1000, 204, { 'upload-complete': '?1' }), { step: finish, reason: 'lost-answer' }],
    ['the upload is gone', ask, answer(404), { step: create, reason: 'gone' }],
    ['the upload has expired', ask, answer(410), { step: create, reason: 'gone' }],
    ['more than the archive has', ask, at(1001), { step: { do: 'restart' } }],
    ['an upload of another length', ask, at(300, 204, { 'upload-length': '999' }), { step: { do: 'restart' } }],
    ['a refusal that HEAD cannot explain', ask, answer(403), { step: create, reason: 'no-word' }],
    ['a stranger', ask, answer(200), { step: create, reason: 'no-word' }],
    ['a receiver that is busy', ask, answer(503), { end: 'answered' }],

    ['part by part', append, at(200), { step: { do: 'append', offset: 200 }, reason: 'goes-on' }],
    [
      'no more than the receiver takes at once',
      append,
      at(200, 204, { 'upload-limit': 'max-append-size=9' }),
      { step: { most: 9 } },
    ],
    ['the last part is followed by the end', append, at(1000), { step: finish, reason: 'all-sent' }],
    ['a cut asks', append, fault('connection-cut'), { step: ask, reason: 'cut' }],
    ['an answer that never came asks', append, fault('answer-timeout'), { step: ask, reason: 'cut' }],
    ['a receiver that is gone', append, fault('connection-refused'), { end: 'answered' }],
    ['our own end', append, fault('aborted'), { end: 'answered' }],
    [
      'the receiver is elsewhere',
      append,
      refusal('mismatching-upload-offset', { 'expected-offset': 70 }),
      { step: { do: 'append', offset: 70 }, reason: 'moved' },
    ],
    ['elsewhere, but it does not say where', append, refusal('mismatching-upload-offset'), { step: ask, reason: 'moved' }],
    ['gone in the middle', append, refusal('upload-gone'), { step: create, reason: 'gone' }],
    ['too slow: the next attempt resumes', append, refusal('too-slow'), { end: 'answered' }],
    ['a proxy that knows no PATCH', { do: 'append', offset: 0 }, answer(501), { end: 'plain' }],

    ['the receipt', finish, answer(201, { 'upload-complete': '?1' }, '{}'), { end: 'answered' }],
    ['an end that got lost', finish, fault('connection-cut'), { step: ask, reason: 'cut' }],
    [
      'an end that was too early',
      finish,
      refusal('mismatching-upload-offset', { 'expected-offset': 900 }),
      { step: { offset: 900 } },
    ],
    ['other bytes than the hash says', finish, refusal('sha256-mismatch'), { end: 'answered' }],
  ])('%s', (_, step, result, expected) => {
    expect(nextStep(step, { answer: result, located: true }, upload)).toMatchObject(expected)
  })

  test('bytes that are not the beginning of ours are given up', () => {
    expect(nextStep(ask, { answer: at(300), prefixFits: false }, upload)).toMatchObject({
      step: { do: 'restart' },
      reason: 'other-bytes',
    })
    expect(nextStep(ask, { answer: at(300), prefixFits: true }, upload)).toMatchObject({ step: { do: 'append' } })
  })

  test.each<[string, Step, number]>([
    ['PATCH', append, 404],
    ['PATCH', append, 501],
    ['the end', finish, 404],
    ['HEAD', ask, 501],
    ['the creation', create, 404],
  ])('one 404 or 501 of a proxy for %s threw away what had arrived', (_, step, status) => {
    const begun = { ...upload, upload_url: '/v1/uploads/x', upload_offset: 100 }
    expect(nextStep(step, { answer: answer(status) }, begun)).toEqual({ end: 'answered' })
  })

  test('a creation that names no place of the receiver is an answer of somebody else', () => {
    expect(nextStep(create, { answer: at(0, 201), located: false }, upload)).toEqual({ end: 'answered' })
  })
})

describe('patience', () => {
  test('a receiver that never gets further is left in peace after a few setbacks', () => {
    let patience: Patience | undefined = { setbacks: 0, reached: 0 }
    let steps = 0
    for (; patience && steps < 100; steps++)
      patience = stillPatient(patience, { step: { do: 'append', offset: 10 }, reason: 'moved' })
    expect(steps).toBe(5)
  })

  test('progress renews it', () => {
    const mib = 1024 * 1024
    let patience: Patience | undefined = { setbacks: 0, reached: 0 }
    for (let cut = 1; cut <= 50; cut++) {
      patience = patience && stillPatient(patience, { step: { do: 'ask' }, reason: 'cut' })
      patience = patience && stillPatient(patience, { step: { do: 'append', offset: cut * mib }, reason: 'known' })
    }
    expect(patience).toEqual({ setbacks: 0, reached: 50 * mib })
  })

  test('whatever a receiver answers, an attempt ends', () => {
    const anything = fc.oneof(
      fc
        .record({
          status: fc.constantFrom(200, 201, 204, 404, 409, 410),
          offset: fc.nat(1200),
          complete: fc.constantFrom('?0', '?1', ''),
        })
        .map(({ status, offset, complete }) => answer(status, { 'upload-offset': String(offset), 'upload-complete': complete })),
      fc.constantFrom(fault('connection-cut'), fault('answer-timeout'), refusal('upload-gone')),
      fc.nat(1200).map((offset) => refusal('mismatching-upload-offset', { 'expected-offset': offset })),
    )
    fc.assert(
      fc.property(fc.array(anything, { minLength: 400, maxLength: 400 }), (answers) => {
        let step: Step = { do: 'create' }
        let patience: Patience | undefined = { setbacks: 0, reached: 0 }
        for (const [index, one] of answers.entries()) {
          const next = nextStep(step, { answer: one, located: true, prefixFits: index % 3 > 0 }, upload)
          if ('end' in next) return true
          patience = stillPatient(patience, next)
          if (!patience) return true
          step = next.step
        }
        return false
      }),
    )
  })
})
