import type { Refused } from '@cis490/fleet/core/facts.ts'
import type { Presence } from '@cis490/fleet/core/outage.ts'
import { type HostFacts, judgeHost, type Moment } from '@cis490/fleet/core/rules.ts'
import { describe, expect, test } from 'vitest'

const minute = 60_000
const at = Date.parse('2026-11-21T12:00:00Z')
const ago = (minutes: number) => at - minutes * minute
const up: Presence = { last: undefined, down: [] }
const moment = (presence = up): Moment => ({
  at,
  clock: at,
  presence,
  silent_after: 30 * minute,
  active_within: 24 * 60 * minute,
})
const host = (facts: Partial<HostFacts>): HostFacts => ({
  host: 'lab-01',
  accepted: undefined,
  refused: [],
  heartbeat: undefined,
  ...facts,
})
const refused = (status: number, code: string, minutes = 5): Refused => ({ status, code, last: ago(minutes) })
const gate = refused(412, 'commit-not-in-window')

function verdict(symptom: string, facts: Partial<HostFacts>, presence = up): string {
  const [unstamped, fatal, silent] = judgeHost(host(facts), moment(presence))
  const judgement = { unstamped, 'fatal-only': fatal, silent }[symptom]
  if (!judgement) throw new Error(`no judgement for ${symptom}`)
  return judgement.holds ? `yes: ${judgement.finding.reason}` : `no: ${judgement.reason}`
}

describe('silent', () => {
  test.each<[string, Partial<HostFacts>, string]>([
    ['a host that never shipped is not silent', {}, 'no: never-shipped'],
    ['30 minutes are not yet silence', { accepted: { last: ago(30) } }, 'no: shipping'],
    ['31 minutes without heartbeat are', { accepted: { last: ago(31) } }, 'yes: no-heartbeat'],
    ['quiet for 24 hours still is', { accepted: { last: ago(24 * 60) } }, 'yes: no-heartbeat'],
    ['quiet for longer than 24 hours is not', { accepted: { last: ago(24 * 60 + 1) } }, 'no: inactive'],
    [
      'a beating host with nothing to ship is well',
      { accepted: { last: ago(90) }, heartbeat: { at: ago(1), waiting: 0 } },
      'no: nothing-to-ship',
    ],
    [
      'a beating host with a full outbox is not',
      { accepted: { last: ago(90) }, heartbeat: { at: ago(1), waiting: 4 } },
      'yes: has-something-to-ship',
    ],
    ['an old heartbeat is none', { accepted: { last: ago(90) }, heartbeat: { at: ago(80), waiting: 0 } }, 'yes: no-heartbeat'],
  ])('%s', (_sentence, facts, expected) => expect(verdict('silent', facts)).toBe(expected))

  test('40 minutes of which the receiver was away for 20 are not silence', () => {
    const away: Presence = { last: { at, down: false }, down: [[ago(35), ago(15)]] }
    expect(verdict('silent', { accepted: { last: ago(40) } }, away)).toBe('no: shipping')
    expect(verdict('silent', { accepted: { last: ago(51) } }, away)).toBe('yes: no-heartbeat')
  })

  test('after an outage of more than a day a host that does not return is still found', () => {
    const away: Presence = { last: { at, down: false }, down: [[ago(30 * 60), ago(60)]] }
    expect(verdict('silent', { accepted: { last: ago(30 * 60 + 10) } }, away)).toBe('yes: no-heartbeat')
  })
})

describe('fatal-only', () => {
  test.each<[string, Partial<HostFacts>, string]>([
    ['no refusal, no fault', {}, 'no: no-refusal'],
    ['one 412 and nothing accepted', { refused: [gate] }, 'yes: every-put-refused'],
    ['a refusal 30 minutes ago still counts', { refused: [refused(412, 'commit-denied', 30)] }, 'yes: every-put-refused'],
    ['a refusal 31 minutes ago does not', { refused: [refused(412, 'commit-denied', 31)] }, 'no: no-refusal'],
    ['one that was accepted in between', { refused: [gate], accepted: { last: ago(29) } }, 'no: something-was-accepted'],
    [
      'the last accepted one is older than the window',
      { refused: [gate], accepted: { last: ago(31) } },
      'yes: every-put-refused',
    ],
    ['a 503 among them will pass', { refused: [gate, refused(503, 'gate-unavailable')] }, 'no: a-refusal-will-pass'],
    ['a 507 is no 4xx', { refused: [refused(507, 'store-full')] }, 'no: a-refusal-will-pass'],
    ['a slow body is retried', { refused: [refused(408, 'too-slow')] }, 'no: a-refusal-will-pass'],
    ['a quota passes', { refused: [refused(429, 'quota')] }, 'no: a-refusal-will-pass'],
    ['an upload in progress passes', { refused: [refused(409, 'upload-in-progress')] }, 'no: a-refusal-will-pass'],
    ['a conflict of contents does not', { refused: [refused(409, 'content-conflict')] }, 'yes: every-put-refused'],
    [
      'an old 503 does not excuse a new 401',
      { refused: [refused(503, 'overloaded', 40), refused(401, 'unauthorized')] },
      'yes: every-put-refused',
    ],
  ])('%s', (_sentence, facts, expected) => expect(verdict('fatal-only', facts)).toBe(expected))

  test.each<[string, number, string, RegExp]>([
    [
      'old code is cured by pulling',
      412,
      'commit-not-in-window',
      /git pull origin main\n.*install-lab-host\.sh\n.*restart cis490-orchestrator/,
    ],
    ['a certificate by fetching one', 403, 'certificate-expired', /cis490-agent fetch-cert/],
    ['a wrong name by the configuration', 403, 'wrong-host', /\[host\] name/],
    ['a missing token by the configuration', 401, 'unauthorized', /token_file/],
    ['a conflict by looking into the outbox', 409, 'content-conflict', /cis490-agent outbox list/],
  ])('%s', (_sentence, status, code, remedy) => {
    const [, judgement] = judgeHost(host({ refused: [refused(status, code)] }), moment())
    expect(judgement?.holds && judgement.finding.remedy).toMatch(remedy)
    expect(judgement?.holds && judgement.finding.text).toContain(`${status} ${code}`)
  })
})

describe('unstamped', () => {
  test.each<[string, Partial<HostFacts>, string]>([
    ['a stamped row is well', { accepted: { last: ago(1) } }, 'no: stamped'],
    ['a row without commit in the window', { accepted: { last: ago(1), unstamped: ago(30) } }, 'yes: row-without-commit'],
    ['a row without commit before the window', { accepted: { last: ago(1), unstamped: ago(31) } }, 'no: stamped'],
    ['a refusal for the missing stamp', { refused: [refused(400, 'commit-missing')] }, 'yes: commit-missing'],
    ['an old refusal for the missing stamp', { refused: [refused(400, 'commit-missing', 31)] }, 'no: stamped'],
    ['a malformed stamp is a stamp', { refused: [refused(400, 'commit-malformed')] }, 'no: stamped'],
  ])('%s', (_sentence, facts, expected) => expect(verdict('unstamped', facts)).toBe(expected))
})
