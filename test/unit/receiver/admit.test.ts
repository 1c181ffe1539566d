import { Receipt } from '@cis490/shared/receipt.ts'
import { expect, test } from 'vitest'
import { admit } from '../../../packages/receiver/src/core/admit.ts'

const stored = Receipt.parse({ id: 'e', host: 'h', sha256: 'a'.repeat(64), bytes: 1, received_at: '2026-11-21T02:00:00.000Z' })

test.each([
  ['nothing is stored', undefined, 'a'.repeat(64), 'new'],
  ['the same bytes are stored', stored, 'a'.repeat(64), 'duplicate'],
  ['other bytes are stored', stored, 'b'.repeat(64), 'conflict'],
])('when %s, a body is judged', (_, receipt, sha256, admission) => {
  expect(admit(receipt, sha256)).toBe(admission)
})
