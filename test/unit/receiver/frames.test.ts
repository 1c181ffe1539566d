import { writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { constants, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Frame, frames, NotZstd } from '../../../packages/receiver/src/archive/frames.ts'
import { skippableFrame } from '../../support/archives.ts'
import { scratchDir } from '../../support/scratch.ts'

async function walk(path: string, bytes: Buffer): Promise<Frame[]> {
  writeFileSync(path, bytes)
  await using file = await open(path, 'r')
  return await Array.fromAsync(frames(file, bytes.length))
}

test('frames of every size, with and without checksum, are found where they are', async () => {
  const path = join(scratchDir(), 'f')
  const part = fc.record({ size: fc.nat(400_000), checksum: fc.boolean(), skip: fc.boolean(), repeat: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }), async (parts) => {
      const made = parts.map(({ size, checksum, skip, repeat }) => {
        if (skip) return skippableFrame('s'.repeat(size % 1000))
        const content = repeat
          ? Buffer.alloc(size, 7)
          : Buffer.from(Array.from({ length: size }, (_, k) => (k * 2_654_435_761) >>> 24))
        return zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0 } })
      })
      const found = await walk(path, Buffer.concat(made))
      expect(found.map(({ length }) => length)).toEqual(made.map(({ length }) => length))
      expect(found.map(({ skippable }) => skippable)).toEqual(parts.map(({ skip }) => skip))
    }),
    { numRuns: 40 },
  )
})

test('a frame that is cut off anywhere is told, and never waited for', async () => {
  const path = join(scratchDir(), 'f')
  const whole = zstdCompressSync(Buffer.from('some telemetry '.repeat(20)))
  for (let length = 1; length < whole.length; length += 1)
    await expect(walk(path, whole.subarray(0, length)), `${length} bytes`).rejects.toBeInstanceOf(NotZstd)
  expect(await walk(path, whole)).toHaveLength(1)
})

test('whatever bytes come, the walk ends with frames or says that they are none', async () => {
  const path = join(scratchDir(), 'f')
  const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (rest) => {
      const found = await walk(path, Buffer.concat([magic, rest])).catch((error: unknown) => error)
      if (Array.isArray(found)) expect(found.reduce((sum, { length }) => sum + length, 0)).toBe(rest.length + 4)
      else expect(found).toBeInstanceOf(NotZstd)
    }),
    { numRuns: 200 },
  )
})
