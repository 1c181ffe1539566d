import { Refusal } from '@cis490/shared/problems.ts'
import { describe, expect, test } from 'vitest'
import { answerOf } from '../../../packages/receiver/src/http/problem.ts'
import { capturedLog } from '../../support/captured-log.ts'

const failure = (code: string) => Object.assign(new Error(`${code}: it failed`), { code })

describe('the answer to a fault', () => {
  test.each([
    ['ENOSPC', 507, 'store-full'],
    ['EDQUOT', 507, 'store-full'],
    ['EMFILE', 503, 'overloaded'],
    ['ENFILE', 503, 'overloaded'],
    ['EIO', 500, 'internal'],
    ['EROFS', 500, 'internal'],
  ])('%s is told as %d %s, however deep it lies', (code, status, told) => {
    const captured = capturedLog()
    const wrapped = new Error('in doubt', { cause: new Error('broken', { cause: failure(code) }) })
    for (const error of [failure(code), wrapped]) {
      const answer = answerOf(error, captured.log)
      expect([answer.status, answer.problem.code]).toEqual([status, told])
    }
    expect(captured.at('error')).toHaveLength(2)
  })

  test('a failed clean-up does not hide the refusal before it', () => {
    const captured = capturedLog()
    const refused = new Refusal('sha256-mismatch', 'other bytes')
    const answer = answerOf(new SuppressedError(failure('EMFILE'), refused), captured.log)
    expect(answer.problem.code).toBe('sha256-mismatch')
    expect(captured.at('error')).toEqual([])
  })
})
