import fc from 'fast-check'
import { expect, test } from 'vitest'
import { episodeTarget } from '../../../packages/receiver/src/core/target.ts'

test.each([
  ['/v1/episodes/ep-1.tar.zst', 'episode'],
  ['/v1/episodes/a.b.tar.zst', 'episode'],
  ['/v1/episodes/ep-1', 'bad-suffix'],
  ['/v1/episodes/ep-1.tar.gz', 'bad-suffix'],
  ['/v1/episodes/ep-1.TAR.ZST', 'bad-suffix'],
  ['/v1/episodes/', 'bad-id'],
  ['/v1/episodes/.tar.zst', 'bad-id'],
  ['/v1/episodes/ep%2d1.tar.zst', 'bad-id'],
  ['/v1/episodes/..%2f..%2fetc.tar.zst', 'bad-id'],
  ['/v1/episodes/../../etc/passwd.tar.zst', 'bad-id'],
  ['/v1/episodes/a/b.tar.zst', 'bad-id'],
  ['/v1/episodes//ep-1.tar.zst', 'bad-id'],
  ['/v1/episodes/ep-1.tar.zst/', 'bad-id'],
  ['/v1/episodes/ep-1.tar.zst?x=1', 'bad-id'],
  ['/v1/episodes/ep-1.tar.zst#x', 'bad-id'],
  ['/v1/episodes', 'other'],
  ['/V1/episodes/ep-1.tar.zst', 'other'],
  ['/v1/gate', 'other'],
])('%s is %s', (target, kind) => {
  expect(episodeTarget(target).kind).toBe(kind)
})

test('only the literal path of an id is that id', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
      const target = episodeTarget(`/v1/episodes/${text}`)
      if (target.kind === 'episode') expect(text).toBe(`${target.id}.tar.zst`)
      else expect(['bad-id', 'bad-suffix']).toContain(target.kind)
    }),
  )
})
