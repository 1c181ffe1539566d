/** A resumable upload from its creation to the receipt. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { episode } from '../support/archives.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { append, create, look, stateOf } from '../support/uploads.ts'
import { ask, jsonOf, put, sha256 } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
})
afterAll(() => site[Symbol.asyncDispose]())

describe('a resumable upload', () => {
  it('is created, appended to in two parts and finished with the receipt that a PUT would have had', async () => {
    const bytes = episode('in-parts', site.head, 'p'.repeat(100_000))
    const half = Math.floor(bytes.length / 2)
    const made = await create(receiver, 'in-parts', bytes, { commit: site.head })
    expect(stateOf(made)).toEqual([201, 0, '?0'])
    const path = made.headers['location'] as string
    expect(path).toMatch(/^\/v1\/uploads\/[0-9a-f]{32}$/)
    expect(made.headers['upload-limit']).toMatch(/^max-size=\d+, max-age=60\d{4}$/)

    const first = await append(receiver, path, 0, bytes.subarray(0, half))
    expect(stateOf(first)).toEqual([204, half, '?0'])
    const seen = await look(receiver, path)
    expect(stateOf(seen)).toEqual([204, half, '?0'])
    expect(seen.headers).toMatchObject({
      'upload-length': String(bytes.length),
      'cache-control': 'no-store',
      'x-cis490-prefix-sha256': sha256(bytes.subarray(0, half)),
    })
    const last = await append(receiver, path, half, bytes.subarray(half), { complete: true })
    expect([last.status, last.headers['upload-complete'], last.headers['location']]).toEqual([
      201,
      '?1',
      '/v1/episodes/in-parts.tar.zst',
    ])
    expect(jsonOf(last)).toMatchObject({ id: 'in-parts', host: 'lab-07', sha256: sha256(bytes), gate_position: 1 })
    const stored = await ask(receiver, '/v1/episodes/in-parts.tar.zst')
    expect(stored.body).toEqual(bytes)
    expect((await receiver.index()).filter((row) => row['id'] === 'in-parts')).toHaveLength(1)
    const again = await put(receiver, 'in-parts', bytes, { commit: site.head })
    expect([again.status, again.body]).toEqual([200, last.body])
    expect((await readdir(join(receiver.stateDir, 'uploads'))).filter((name) => name.endsWith('.part'))).toEqual([])
    expect(await receiver.incoming()).toEqual([])
  })
})
