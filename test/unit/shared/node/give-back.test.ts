import { giveBack } from '@cis490/shared/node/give-back.ts'
import { expect, test } from 'vitest'

test('a buffer that owns its memory loses it', () => {
  const bytes = Buffer.alloc(1 << 20, 1)
  giveBack(bytes)
  expect(bytes.length).toBe(0)
  expect((bytes.buffer as ArrayBuffer).detached).toBe(true)
})

test('a second time is no fault', () => {
  const bytes = Buffer.alloc(1 << 20, 1)
  giveBack(bytes)
  giveBack(bytes)
  expect(bytes.length).toBe(0)
})

test.each([
  ['from the pool', () => Buffer.from('short')],
  ['that is a part of another', () => Buffer.alloc(1 << 20, 1).subarray(1)],
])('a buffer %s keeps its bytes', (_, make) => {
  const bytes = make()
  const before = Buffer.from(bytes)
  giveBack(bytes)
  expect(bytes.equals(before)).toBe(true)
})
