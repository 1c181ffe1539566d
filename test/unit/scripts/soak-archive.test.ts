/** Archives that a soak writes without a compressor are what every other program reads. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { rawArchive } from '../../../scripts/soak/archive.ts'
import { scratchDir } from '../../support/scratch.ts'

it.each([0, 1, 511, 512, 3000, 131_072, 300_000])('with %i bytes of telemetry it is what tar --zstd unpacks', (bytes) => {
  const payload = Buffer.from(Uint8Array.from({ length: bytes }, (_, k) => (k * 31) % 251))
  const dir = scratchDir()
  const file = join(dir, 'episode.tar.zst')
  writeFileSync(file, rawArchive({ id: 'e1-000001', commit: 'a'.repeat(40), variant: 2, payload }))
  execFileSync('tar', ['--zstd', '-xf', file, '-C', dir])
  expect(readFileSync(join(dir, 'e1-000001', 'telemetry.bin')).equals(payload)).toBe(true)
  const meta = JSON.parse(readFileSync(join(dir, 'e1-000001', 'meta.json'), 'utf8')) as unknown
  expect(meta).toEqual({ schema_version: 1, episode_id: 'e1-000001', code_version: { commit: 'a'.repeat(40) }, variant: 2 })
})
