import { problem } from '@cis490/shared/problems.ts'
import { expect, test } from 'vitest'
import { importOutcome } from '../../../packages/receiver/src/core/import-outcome.ts'

const sha256 = 'a'.repeat(64)
const receipt = JSON.stringify({ id: 'a', host: 'lab-07', sha256, bytes: 1, received_at: '2026-11-21T00:00:00.000Z' })
const refusal = (...what: Parameters<typeof problem>) => JSON.stringify(problem(...what))

const rows: [string, number, string, object][] = [
  ['a new episode', 201, receipt, { outcome: 'stored' }],
  ['one that was stored before', 200, receipt, { outcome: 'already' }],
  ['a success without receipt', 200, '{}', { outcome: 'later', code: 'no-receipt' }],
  ['a receipt for other bytes', 201, receipt.replace(sha256, 'b'.repeat(64)), { outcome: 'later', code: 'no-receipt' }],
  ['the gate', 412, refusal('commit-denied', 'no', { remediation: 'do this' }), { outcome: 'refused', remediation: 'do this' }],
  ['other bytes under the id', 409, refusal('content-conflict', 'no'), { outcome: 'refused', code: 'content-conflict' }],
  ['a busy receiver', 503, refusal('overloaded', 'no', { retry_after_s: 3 }), { outcome: 'later', again: 3 }],
  ['one that is busy for an hour', 503, refusal('overloaded', 'no', { retry_after_s: 3600 }), { outcome: 'later', again: 10 }],
  ['the same id on its way', 409, refusal('upload-in-progress', 'no'), { outcome: 'later', again: 1 }],
  ['a full disk', 507, refusal('store-full', 'no', { retry_after_s: 300 }), { outcome: 'later', code: 'store-full' }],
  ['a quota', 429, refusal('quota', 'no', { retry_after_s: 3600 }), { outcome: 'later', code: 'quota' }],
  ['something else than a receiver', 418, 'teapot', { outcome: 'later', code: 'http-418' }],
]

test.each(rows)('%s', (_, status, body, expected) => {
  expect(importOutcome(status, body, sha256)).toMatchObject(expected)
})

test('what lasts is not waited for', () => {
  expect(importOutcome(507, refusal('store-full', 'no', { retry_after_s: 1 }), sha256)).not.toHaveProperty('again')
  expect(importOutcome(429, refusal('quota', 'no', { retry_after_s: 1 }), sha256)).not.toHaveProperty('again')
})
