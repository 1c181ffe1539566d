import { type Consequence, isProblemCode, problem, problems, Refusal } from '@cis490/shared/problems.ts'
import { expect, test } from 'vitest'

/** The table of the wire's contract, written down a second time on purpose. */
const contract: Record<string, [status: number, lane: Consequence]> = {
  'commit-missing': [400, 'gated'],
  'commit-malformed': [400, 'gated'],
  'commit-not-in-window': [412, 'gated'],
  'commit-denied': [412, 'gated'],
  'gate-unavailable': [503, 'retry'],
  overloaded: [503, 'retry'],
  'shutting-down': [503, 'retry'],
  'sha256-missing': [400, 'quarantine'],
  'sha256-malformed': [400, 'quarantine'],
  'digest-disagree': [400, 'quarantine'],
  'bad-id': [400, 'quarantine'],
  'bad-suffix': [400, 'quarantine'],
  'partial-put': [400, 'quarantine'],
  'sha256-mismatch': [400, 'rehash'],
  'invalid-episode': [422, 'quarantine'],
  'already-exists': [412, 'compare'],
  'host-missing': [400, 'all-wait'],
  'bad-report': [400, 'none'],
  'not-found': [404, 'all-wait'],
  'method-not-allowed': [405, 'all-wait'],
  'unsupported-media-type': [415, 'none'],
  internal: [500, 'retry'],
  unauthorized: [401, 'all-wait'],
  'certificate-missing': [403, 'all-wait'],
  'certificate-expired': [403, 'all-wait'],
  'certificate-untrusted': [403, 'all-wait'],
  'wrong-host': [403, 'all-wait'],
  'too-slow': [408, 'retry'],
  'content-conflict': [409, 'quarantine'],
  'upload-in-progress': [409, 'retry'],
  'too-large': [413, 'quarantine'],
  'content-encoding': [415, 'quarantine'],
  quota: [429, 'retry'],
  rate: [429, 'retry'],
  pruned: [410, 'none'],
  'bad-query': [400, 'none'],
  'upload-length-missing': [400, 'none'],
  'inconsistent-upload-length': [400, 'none'],
  'bad-append': [400, 'none'],
  'upload-gone': [404, 'create-anew'],
  'mismatching-upload-offset': [409, 'resume'],
  'store-full': [507, 'retry-slowly'],
  'join-refused': [401, 'none'],
  'bad-csr': [400, 'none'],
  'ca-unavailable': [503, 'none'],
}

test('every code has the status and the lane of the contract, and there is no other code', () => {
  const table = Object.entries(problems).map(([code, { status, consequence }]) => [code, [status, consequence]])
  expect(Object.fromEntries(table)).toEqual(contract)
})

test('no two codes share a title', () => {
  const titles = Object.values(problems).map(({ title }) => title)
  expect(new Set(titles).size).toBe(titles.length)
})

test('a problem names its type, title, status, detail, code and what goes with it', () => {
  expect(problem('too-large', 'at most 5 bytes', { max_bytes: 5 })).toEqual({
    type: 'https://cis490.invalid/problems/too-large',
    title: 'The body is too large',
    status: 413,
    detail: 'at most 5 bytes',
    code: 'too-large',
    max_bytes: 5,
  })
})

test('a refusal carries its problem', () => {
  const refusal = new Refusal('rate', 'slow down', { retry_after_s: 3 })
  expect(refusal.message).toBe('rate: slow down')
  expect(refusal.problem).toEqual(problem('rate', 'slow down', { retry_after_s: 3 }))
})

test.each([['toString'], ['__proto__'], ['constructor'], [''], [undefined], [400], [null]])('%j is no problem code', (code) => {
  expect(isProblemCode(code)).toBe(false)
})
