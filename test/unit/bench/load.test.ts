import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { archiveHead, archiveRest, rawFrame } from '../../../bench/load/archive.ts'
import { BodyFile } from '../../../bench/load/body-file.ts'
import { requestsOf } from '../../../bench/load/job.ts'
import { scratchDir } from '../../support/scratch.ts'

const commit = 'a'.repeat(40)

test.each([0, 1, 128 * 1024, 128 * 1024 + 1, 1 << 20])('a raw frame of %i bytes is zstd', (length) => {
  const content = Buffer.alloc(length, 'x')
  expect(zstdDecompressSync(rawFrame(content))).toEqual(content)
})

test('a body file is an episode that a receiver takes whole, and changes its id in place', async () => {
  const dir = scratchDir()
  const body = await BodyFile.make(join(dir, 'body-1'), 300_000, commit)
  for (const round of [0, 7]) {
    await body.renew(round)
    const bytes = await readFile(body.path)
    expect(body.bytes).toBe(bytes.length)
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(body.sha256)
    const meta = execFileSync('tar', ['--zstd', '-xOf', body.path, `${body.id}/meta.json`], { encoding: 'utf8' })
    expect(JSON.parse(meta)).toMatchObject({ episode_id: body.id, code_version: { commit } })
    expect(execFileSync('tar', ['--zstd', '-xOf', body.path, `${body.id}/telemetry.bin`]).length).toBe(300_000)
  }
  expect(body.id).toBe('bench-body-1-0007')
})

test('requests of a load have fresh ids and the hashes of their bodies', () => {
  const base = { port: 1, ca: '', identities: [], connections: 1, requests: 2, bytes: 2000, prefix: 'p', commit }
  const next = requestsOf({ ...base, kind: 'episode' })
  const said = [0, 1].map((k) => {
    const [head = '', ...body] = next(k, 'h')
    expect(
      createHash('sha256')
        .update(Buffer.concat(body.map((part) => Buffer.from(part))))
        .digest('hex'),
    ).toBe(/X-Content-SHA256: (\w+)/.exec(String(head))?.[1])
    return /PUT (\S+)/.exec(String(head))?.[1]
  })
  expect(said).toEqual(['/v1/episodes/p-000000.tar.zst', '/v1/episodes/p-000001.tar.zst'])
  const [report = ''] = requestsOf({ ...base, kind: 'report' })(4, 'lab-1')
  const [head = '', text = ''] = String(report).split('\r\n\r\n')
  expect(JSON.parse(text)).toMatchObject({ host: 'lab-1', sequence: 5 })
  expect(head).toContain(`Content-Length: ${text.length}`)
  expect(Buffer.concat([archiveHead('p', commit, 10), ...archiveRest(10)]).length).toBeGreaterThan(2000)
})
