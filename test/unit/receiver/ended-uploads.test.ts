/** Uploads that ended: their answers are kept for a while, never without bound, and never beside an open upload. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { HashPool } from '../../../packages/receiver/src/store/hashing/hash-pool.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import type { FinalAnswer } from '../../../packages/receiver/src/store/upload-state.ts'
import { type NewUpload, Uploads } from '../../../packages/receiver/src/store/uploads.ts'
import { scratchDir } from '../../support/scratch.ts'
import { TestStore } from '../../support/store.ts'

const hashes = new HashPool(0, () => undefined)

const maxAgeMs = 60_000
const keep = 5
const answer: FinalAnswer = { problem: { code: 'invalid-episode', detail: '', status: 422, title: '', type: '' } }
const facts = (id: string, host = 'lab-07') =>
  ({ ...new TestStore().key(id, host), sha256: 'a'.repeat(64), length: 5, gate: { kind: 'accept' } }) as unknown as NewUpload

test('of one host no more answers are kept than so many; the oldest make way, those of other hosts stay', async () => {
  const layout = new StoreLayout(scratchDir())
  mkdirSync(layout.uploads, { recursive: true })
  const name = (k: number) => k.toString(16).padStart(32, '0')
  const [of7, of8] = [facts('many'), facts('one', 'lab-08')]
  const write = (k: number, of: NewUpload) => {
    const times = { created_at: timestamp(0), expires_at: timestamp(100_000 + k) }
    writeFileSync(join(layout.uploads, `${name(k)}.json`), JSON.stringify({ ...of, offset: 5, ...times, finished: answer }))
  }
  write(0, of8)
  for (let k = 1; k <= keep + 3; k += 1) write(k, of7)
  await using uploads = await Uploads.open(layout, maxAgeMs, 0, hashes, keep)
  const kept = () => readdirSync(layout.uploads).filter((file) => file.endsWith('.json')).length
  // Asked for before anybody has read them.
  expect(uploads.find(name(4), 0)).toMatchObject({ finished: answer })
  await uploads.expire(0)
  expect(kept()).toBe(keep + 1)
  expect([0, 1, 3, 4].map((k) => uploads.find(name(k), 0) !== undefined)).toEqual([true, false, false, true])
  const next = await uploads.create(of7, 0)
  await uploads.finish(next, answer, 200_000)
  expect(kept()).toBe(keep + 1)
  expect([uploads.find(name(4), 0), uploads.find(next.name, 0)]).toEqual([undefined, next])
})

test("a state without bytes and without an answer, and a torn one, are nobody's: they go at the next expiry", async () => {
  const layout = new StoreLayout(scratchDir())
  mkdirSync(layout.uploads, { recursive: true })
  const times = { created_at: timestamp(0), expires_at: timestamp(100_000) }
  writeFileSync(join(layout.uploads, 'u.json'), JSON.stringify({ ...facts('lost'), offset: 5, ...times }))
  writeFileSync(join(layout.uploads, 'v.json'), '{"host":"lab')
  await using uploads = await Uploads.open(layout, maxAgeMs, 0, hashes)
  expect([uploads.find('u', 0), uploads.find('v', 0), uploads.open]).toEqual([undefined, undefined, 0])
  expect(await uploads.expire(0)).toBe(0)
  expect(readdirSync(layout.uploads)).toEqual([])
})

test('an answer that has expired while nobody served is called so, once it was looked for', async () => {
  const layout = new StoreLayout(scratchDir())
  mkdirSync(layout.uploads, { recursive: true })
  const state = { ...facts('old'), offset: 5, created_at: timestamp(0), expires_at: timestamp(1000), finished: answer }
  writeFileSync(join(layout.uploads, 'u.json'), JSON.stringify(state))
  await using uploads = await Uploads.open(layout, maxAgeMs, 2000, hashes)
  expect(uploads.find('u', 2000)).toBe('expired')
  expect([await uploads.expire(2000), uploads.find('u', 2000), readdirSync(layout.uploads)]).toEqual([1, 'expired', []])
})

test('an answer that cannot be read at one expiry is neither taken for none nor the end of the receiver', async () => {
  const layout = new StoreLayout(scratchDir())
  mkdirSync(join(layout.uploads, 'u.json'), { recursive: true })
  await using uploads = await Uploads.open(layout, maxAgeMs, 0, hashes)
  expect(await uploads.expire(0)).toBe(0)
  rmSync(join(layout.uploads, 'u.json'), { recursive: true })
  const state = { ...facts('back'), offset: 5, created_at: timestamp(0), expires_at: timestamp(100_000), finished: answer }
  writeFileSync(join(layout.uploads, 'u.json'), JSON.stringify(state))
  expect(await uploads.expire(0)).toBe(0)
  expect(uploads.find('u', 0)).toMatchObject({ finished: answer })
})

test('a stop ends a long look through the answers', async () => {
  const layout = new StoreLayout(scratchDir())
  mkdirSync(layout.uploads, { recursive: true })
  for (const name of ['u', 'v']) writeFileSync(join(layout.uploads, `${name}.json`), '{')
  await using uploads = await Uploads.open(layout, maxAgeMs, 0, hashes)
  const stop = new AbortController()
  const looking = uploads.expire(0, stop.signal)
  stop.abort()
  await looking
  expect(readdirSync(layout.uploads)).toHaveLength(1)
})

test('an upload whose answer is kept is not open, even if its bytes cannot be removed', async () => {
  const layout = new StoreLayout(scratchDir())
  await using uploads = await Uploads.open(layout, maxAgeMs, 0, hashes)
  const upload = await uploads.create(facts('stuck'), 0)
  rmSync(upload.paths.part)
  mkdirSync(upload.paths.part)
  await expect(uploads.finish(upload, answer, 0)).rejects.toThrow()
  expect([uploads.open, uploads.openOf(upload.state.host), uploads.reserved(0)]).toEqual([0, 0, 0])
  expect(uploads.find(upload.name, 0)?.valueOf()).toBe(upload)
  rmSync(upload.paths.part, { recursive: true })
})
