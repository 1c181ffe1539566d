import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { Compressor, compressorsFor } from '../../../packages/agent/src/episodes/compressor.ts'

test('one at once: a small block that comes after a large one waits for it', async () => {
  const compressor = new Compressor(1)
  const ended: string[] = []
  const block = async (name: string, bytes: Buffer) => {
    await compressor.compress(bytes)
    ended.push(name)
  }
  await Promise.all([block('large', randomBytes(8 << 20)), block('small', Buffer.alloc(1)), block('next', Buffer.alloc(1))])
  expect(ended).toEqual(['large', 'small', 'next'])
})

test('a block that cannot be compressed gives its place to the next', async () => {
  const compressor = new Compressor(1)
  const results = await Promise.allSettled([
    compressor.compress('no bytes' as unknown as Buffer),
    compressor.compress(Buffer.from('bytes')),
    compressor.compress('again' as unknown as Buffer),
  ])
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected'])
  expect((await compressor.compress(Buffer.from('later'))).length).toBeGreaterThan(0)
})

test.each([
  [1, 2],
  [2, 2],
  [3, 3],
  [64, 4],
])('%i cores compress %i blocks at once', (cores, blocks) => {
  expect(compressorsFor(cores)).toBe(blocks)
})
