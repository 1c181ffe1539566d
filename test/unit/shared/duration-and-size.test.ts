import { Duration, formatDuration, parseDuration } from '@cis490/shared/duration.ts'
import { formatSize, parseSize, Size } from '@cis490/shared/size.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'

test.each([
  ['250ms', 250],
  ['30s', 30_000],
  ['5m', 300_000],
  ['1.5h', 5_400_000],
  ['26h', 93_600_000],
  ['30d', 2_592_000_000],
  [' 30 s ', 30_000],
  ['0s', 0],
  ['30', undefined],
  ['', undefined],
  ['s', undefined],
  ['-5s', undefined],
  ['5S', undefined],
  ['5 minutes', undefined],
  ['1e3s', undefined],
  ['.5s', undefined],
  ['1h30m', undefined],
])('the duration %j is %s ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test('a duration that is none is told what to write', () => {
  const issue = Duration.safeParse('soon').error?.issues[0]
  expect(issue?.message).toBe('"soon" is no duration; write a number and ms, s, m, h or d, like "30s"')
})

test.each([
  [0, '0 s'],
  [499, '0 s'],
  [59_600, '1 min'],
  [61_000, '1 min 1 s'],
  [3_600_000, '1 h'],
  [93_784_000, '1 d 2 h'],
  [86_400_000 + 1000, '1 d'],
  [-5, '0 s'],
])('%s ms read as %j', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

test.each([
  ['0', 0],
  ['512', 512],
  ['64MiB', 64 << 20],
  ['64mib', 64 << 20],
  ['1.5GB', 1_500_000_000],
  ['1 kB', 1000],
  ['8TiB', 8 * 2 ** 40],
  ['1.5', 2],
  ['', undefined],
  ['-1', undefined],
  ['64M', undefined],
  ['MiB', undefined],
  ['1e3', undefined],
  ['0x10', undefined],
  ['99999999TiB', undefined],
])('the size %j is %s bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})

test('a size may be a bare number, but neither negative nor a fraction', () => {
  expect(Size.parse(4096)).toBe(4096)
  expect(Size.safeParse(-1).success).toBe(false)
  expect(Size.safeParse(1.5).success).toBe(false)
  expect(Size.safeParse('64 megs').error?.issues[0]?.message).toContain('write a number and B, KiB, MiB, GiB or TiB')
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1_572_864, '1.5 MiB'],
  [5 * 2 ** 50, '5120.0 TiB'],
])('%s bytes read as %j', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text)
})

test('a formatted size can be read back, within its one decimal', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 48 }), (bytes) => {
      const back = parseSize(formatSize(bytes)) ?? Number.NaN
      expect(Math.abs(back - bytes)).toBeLessThanOrEqual(bytes * 0.05 + 1)
    }),
  )
})
