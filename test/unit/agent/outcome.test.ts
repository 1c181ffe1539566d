import { type ProblemCode, problem, problems } from '@cis490/shared/problems.ts'
import { describe, expect, test } from 'vitest'
import type { Answer, Answered } from '../../../packages/agent/src/core/answer.ts'
import { afterHead, afterRehash, isReceiverWide, outcomeOf, probeEvery } from '../../../packages/agent/src/core/outcome.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const sha = 'a'.repeat(64)
const sent = { id: 'ep-1', sha256: sha, attempts: 0 }
const receipt = { id: 'ep-1', host: 'lab-07', sha256: sha, bytes: 3, received_at: '2026-11-21T12:00:00.000Z' }

function answered(status: number, body: object | string = '', headers: Record<string, string> = {}): Answered {
  return { kind: 'answer', status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) }
}

function refused(code: ProblemCode, headers: Record<string, string> = {}): Answered {
  return { ...answered(problems[code].status, '', headers), problem: problem(code, 'because') }
}

const sentences: [string, Answer, object][] = [
  ['201 with our receipt is delivered', answered(201, receipt), { outcome: 'delivered', receipt }],
  ['200 with the first receipt is delivered too', answered(200, receipt), { outcome: 'delivered' }],
  [
    'a receipt for other bytes is no success',
    answered(201, { ...receipt, sha256: 'b'.repeat(64) }),
    { outcome: 'later', code: 'wrong-receipt' },
  ],
  [
    'a receipt for another episode is no success',
    answered(201, { ...receipt, id: 'ep-2' }),
    { outcome: 'later', code: 'wrong-receipt' },
  ],
  ['the page of a captive portal makes everything wait', answered(200, '<html>'), { outcome: 'all-wait', code: 'no-receipt' }],
  ['204 without a body makes everything wait', answered(204), { outcome: 'all-wait', code: 'no-receipt' }],
  ['a redirect makes everything wait', answered(302), { outcome: 'all-wait', code: 'http-302' }],
  ['403 of a proxy never moves an entry', answered(403, '<html>'), { outcome: 'all-wait', code: 'http-403' }],
  ['412 of a stranger does not gate', answered(412, '{"code":"commit-denied"}'), { outcome: 'all-wait', code: 'http-412' }],
  ['502 of a proxy is tried again', answered(502), { outcome: 'later', code: 'http-502' }],
  ['507 is tried again slowly, with an alarm', refused('store-full'), { outcome: 'later', alarm: expect.any(String) }],
  [
    'a fault of the network holds the receiver',
    { kind: 'fault', code: 'connection-refused', message: 'no' },
    { outcome: 'unreachable' },
  ],
  [
    'an archive that cannot be read is hashed again',
    { kind: 'fault', code: 'archive-unreadable', message: 'no' },
    { outcome: 'rehash' },
  ],
  ['what we ended ourselves changes nothing', { kind: 'fault', code: 'aborted', message: '' }, { outcome: 'untouched' }],
]

describe('outcomeOf', () => {
  test.each(sentences)('%s', (_, answer, expected) => {
    expect(outcomeOf(sent, answer, now, 0.5)).toMatchObject(expected)
  })

  const lane = {
    'create-anew': 'later',
    resume: 'later',
    gated: 'gated',
    quarantine: 'quarantine',
    retry: 'later',
    'retry-slowly': 'later',
    rehash: 'rehash',
    compare: 'compare',
    'all-wait': 'all-wait',
  }
  const codes = (Object.keys(problems) as ProblemCode[]).filter((code) => problems[code].consequence !== 'none')
  test.each(codes)('the code %s decides, whatever the status', (code) => {
    const expected = lane[problems[code].consequence as keyof typeof lane]
    expect(outcomeOf(sent, refused(code), now, 0.5).outcome).toBe(expected)
    expect(outcomeOf(sent, { ...refused(code), status: 418 }, now, 0.5).outcome).toBe(expected)
  })

  test('a code that is no answer to an upload makes everything wait', () => {
    expect(outcomeOf(sent, refused('bad-report'), now, 0.5)).toMatchObject({ outcome: 'all-wait', code: 'http-400' })
  })

  test('while all wait there is a probe after 15 min', () => {
    expect(outcomeOf(sent, refused('unauthorized'), now, 0.5)).toMatchObject({ nextAt: now + probeEvery })
    expect(probeEvery).toBe(15 * 60_000)
  })

  test('Retry-After is a floor, not the time', () => {
    const early = outcomeOf(sent, refused('overloaded', { 'retry-after': '120' }), now, 0)
    expect(early).toMatchObject({ nextAt: now + 120_000 })
    const patient = outcomeOf({ ...sent, attempts: 20 }, refused('overloaded', { 'retry-after': '1' }), now, 0.5)
    expect(patient).toMatchObject({ nextAt: now + 450_500 })
  })
})

describe('afterRehash', () => {
  test.each([
    ['the archive is whole and it is the third time: again', true, 2, true, 'retry'],
    ['the archive is whole and it went wrong four times: a person decides', true, 3, true, 'quarantine'],
    ['the archive is damaged and its episode is there: made anew', false, 0, true, 'repack'],
    ['the archive is damaged and is the last copy: a person decides', false, 0, false, 'quarantine'],
  ] as const)('%s', (_, unchanged, before, folder, verdict) => {
    expect(afterRehash(unchanged, before + 1, folder)).toBe(verdict)
  })
})

describe('afterHead', () => {
  test.each([
    ['not there: send it', answered(404), 'send'],
    ['there with our bytes: send it for the receipt', answered(200, '', { etag: `"sha256-${sha}"` }), 'send'],
    ['there with other bytes: a conflict', answered(200, '', { etag: `"sha256-${'b'.repeat(64)}"` }), 'conflict'],
    ['no answer: the answer to the upload decides', { kind: 'fault', code: 'connection-cut', message: '' }, 'send'],
    ['200 of a stranger: the answer to the upload decides', answered(200, '', { etag: '"x"' }), 'send'],
  ] as [string, Answer, string][])('%s', (_, answer, verdict) => {
    expect(afterHead(answer, sha)).toBe(verdict)
  })
})

test('one entry that the receiver trips over does not hold the others, three in a row do', () => {
  expect([1, 2, 3].map((inARow) => isReceiverWide('internal', inARow))).toEqual([false, false, true])
  for (const code of ['store-full', 'quota', 'rate', 'receipt-unsigned', 'http-503']) expect(isReceiverWide(code, 1)).toBe(true)
  for (const code of ['too-slow', 'wrong-receipt', 'upload-in-progress']) expect(isReceiverWide(code, 9)).toBe(false)
})
