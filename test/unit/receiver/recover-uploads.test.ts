/** What a crash may leave in the folder of the uploads, and what becomes of it at the next start. */
import { createHash } from 'node:crypto'
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, HostName, Sha256, timestamp } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { HashPool } from '../../../packages/receiver/src/store/hashing/hash-pool.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { recoverUploads } from '../../../packages/receiver/src/store/recover-uploads.ts'
import { UploadLost } from '../../../packages/receiver/src/store/upload.ts'
import { UploadPart } from '../../../packages/receiver/src/store/upload-part.ts'
import { Uploads } from '../../../packages/receiver/src/store/uploads.ts'
import { scratchDir } from '../../support/scratch.ts'

const hashes = new HashPool(0, () => undefined)

const now = Date.parse('2026-03-01T00:00:00Z')
const state = {
  host: 'lab-07',
  id: 'one',
  sha256: createHash('sha256').update('0123456789').digest('hex'),
  length: 10,
  offset: 6,
  created_at: timestamp(now - 1000),
  expires_at: timestamp(now + 1000),
  gate: { kind: 'accept' },
}
const finished = { problem: { code: 'invalid-episode', detail: 'x', status: 422, title: 'x', type: 'x' } }

/** A folder with these files. */
function folderWith(files: Record<string, string | object>): string {
  const folder = join(scratchDir(), 'uploads')
  mkdirSync(folder)
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  return folder
}

test.each<[string, Record<string, string | object>, string[], object]>([
  ['a whole upload stays', { 'u.json': state, 'u.part': '012345' }, ['u.json', 'u.part'], {}],
  ['bytes that were never told are cut', { 'u.json': state, 'u.part': '0123456789' }, ['u.json', 'u.part'], { uploads_cut: 1 }],
  ['fewer bytes than were told: gone, never less', { 'u.json': state, 'u.part': '01234' }, [], { uploads_broken: 1 }],
  ['an answer without bytes is left to whoever asks for it', { 'u.json': { ...state, finished } }, ['u.json'], {}],
  ['bytes without a state are gone', { 'u.part': '012345' }, [], { uploads_broken: 1 }],
  ['a torn state is gone, with its bytes', { 'u.json': '{"host":"lab', 'u.part': '012345' }, [], { uploads_broken: 1 }],
  [
    'an offset beyond the length is no state',
    { 'u.json': { ...state, offset: 11 }, 'u.part': '0123456789x' },
    [],
    { uploads_broken: 1 },
  ],
  [
    'a state that was being replaced is as it was',
    { 'u.json': state, 'u.part': '012345', 'u.json.tmp': '{' },
    ['u.json', 'u.part'],
    {},
  ],
  ['an old one is gone', { 'u.json': { ...state, expires_at: timestamp(now) }, 'u.part': '012345' }, [], { uploads_expired: 1 }],
  ['an answer stays, its bytes do not', { 'u.json': { ...state, finished }, 'u.part': '012345' }, ['u.json'], {}],
])('%s', async (_, files, left, counts) => {
  const folder = folderWith(files)
  const { states, ended, expired, ...done } = await recoverUploads(folder, now)
  expect(readdirSync(folder).toSorted()).toEqual(left)
  expect(done).toEqual({ uploads_cut: 0, uploads_broken: 0, uploads_expired: 0, ...counts })
  expect([...states.keys(), ...ended]).toEqual(left.includes('u.json') ? ['u'] : [])
  expect(ended).toEqual('u.part' in files ? [] : left.includes('u.json') ? ['u'] : [])
  expect(expired).toEqual(done.uploads_expired ? ['u'] : [])
  if (left.includes('u.part')) expect(readFileSync(join(folder, 'u.part'), 'utf8')).toBe('012345')
})

test('an upload whose state cannot be removed keeps its bytes, and goes on from what was told', async () => {
  const layout = new StoreLayout(scratchDir())
  const uploads = await Uploads.open(layout, 1000, now, hashes)
  const facts = { host: HostName.parse('lab-07'), id: EpisodeId.parse('one'), sha256: Sha256.parse(state.sha256), length: 10 }
  const upload = await uploads.create({ ...facts, gate: { kind: 'accept' } }, now)
  rmSync(upload.paths.state)
  mkdirSync(upload.paths.state)
  await uploads.remove(upload)
  expect(uploads.find(upload.name, now)).toBeUndefined()
  expect(readdirSync(layout.uploads)).toHaveLength(2)
})

test('the part of an upload that was published before the crash is the episode: nobody cuts it', async () => {
  const folder = folderWith({ 'u.json': state, 'u.part': '0123456789' })
  linkSync(join(folder, 'u.part'), join(folder, '..', 'one.tar.zst'))
  await recoverUploads(folder, now)
  expect(readFileSync(join(folder, '..', 'one.tar.zst'), 'utf8')).toBe('0123456789')
})

test('an upload whose state cannot be replaced is thrown away: its offset is never told', async () => {
  const layout = new StoreLayout(scratchDir())
  const uploads = await Uploads.open(layout, 1000, now, hashes)
  const upload = await uploads.create(
    {
      host: HostName.parse('lab-07'),
      id: EpisodeId.parse('one'),
      sha256: Sha256.parse(state.sha256),
      length: 10,
      gate: { kind: 'accept' },
    },
    now,
  )
  const part = await UploadPart.open(upload, { maxAgeMs: 1000, now: () => now, settleBytes: 1 << 20 })
  await part.take(Buffer.from('0123'))
  rmSync(upload.paths.state)
  mkdirSync(upload.paths.state)
  await expect(part.settle()).rejects.toThrow(UploadLost)
  await part[Symbol.asyncDispose]()
  expect([upload.gone, upload.offset, uploads.find(upload.name, now)]).toEqual([true, 0, undefined])
})

test('the names of expired uploads are remembered, so that their clients can be told', async () => {
  const layout = new StoreLayout(scratchDir())
  const uploads = await Uploads.open(layout, 1000, now, hashes)
  const { host, id, sha256, length } = state
  const facts = { host: HostName.parse(host), id: EpisodeId.parse(id), sha256: Sha256.parse(sha256), length }
  const upload = await uploads.create({ ...facts, gate: { kind: 'accept' } }, now)
  expect(await uploads.expire(now + 999)).toBe(0)
  expect(uploads.find(upload.name, now + 1000)).toBe('expired')
  const turn = await upload.turn()
  expect(await uploads.expire(now + 1000)).toBe(0)
  turn[Symbol.dispose]()
  expect(await uploads.expire(now + 1000)).toBe(1)
  expect(readdirSync(layout.uploads)).toEqual([])
  expect([uploads.find(upload.name, now + 1001), uploads.find('0'.repeat(32), now)]).toEqual(['expired', undefined])
})
