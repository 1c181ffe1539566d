/** What counts as an episode: archives that are taken, and those that get 422. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Entry, episode, metaText, skippableFrame, tarOf } from '../support/archives.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { problemOf, put } from '../support/wire.ts'

const modes = ['head', 'full'] as const
let site: Site
const receivers = {} as Record<(typeof modes)[number], TestReceiver>

beforeAll(async () => {
  site = await Site.make()
  for (const inspect of modes) receivers[inspect] = await site.start({ ingest: { inspect } })
})
afterAll(() => site[Symbol.asyncDispose]())

const meta = (more = {}): Entry => ({ path: 'ep/meta.json', body: metaText('ep', site.head, more) })
const packed = (...entries: Entry[]) => zstdCompressSync(tarOf(entries))

describe.each(modes)('inspect = "%s" refuses', (mode) => {
  const cases: [string, RegExp, () => Buffer][] = [
    ['what is not zstd', /zstd/, () => Buffer.from('this is no archive, but it is long enough to be looked at')],
    ['an empty body', /empty/, () => Buffer.alloc(0)],
    ['zstd that is cut off', /cut off/, () => episode('ep', site.head, 'x'.repeat(100_000)).subarray(0, -20)],
    ['zstd that is not tar', /tar|entries/, () => zstdCompressSync(Buffer.from('hello '.repeat(1000)))],
    ['a tar without entries', /tar|entries/, () => packed()],
    ['an absolute name', /absolute/, () => packed({ path: '/etc/passwd', body: 'x' })],
    ['a name that leads outside', /outside/, () => packed({ path: 'ep/../../x', body: 'x' })],
    ['a device', /CharacterDevice/, () => packed({ path: 'ep/tty', type: 'CharacterDevice' })],
    ['meta.json that is not JSON', /not a JSON object/, () => packed({ path: 'ep/meta.json', body: '{"episode_id":' })],
    ['meta.json that is not valid', /meta\.json/, () => packed({ path: 'ep/meta.json', body: '{"episode_id": 5}' })],
    ['another id in meta.json', /episode_id/, () => packed(meta({ episode_id: 'other' }))],
    ['another host in meta.json', /host/, () => packed(meta({ host: 'lab-99' }))],
    ['another stamp in meta.json', /commit/, () => packed(meta({ code_version: { commit: site.commits[1] } }))],
    ['random bytes after the zstd magic', /./, () => Buffer.concat([Buffer.from('28b52ffd', 'hex'), Buffer.alloc(100, 7)])],
  ]
  it.each(cases)('%s', async (_what, detail, make) => {
    const answer = await put(receivers[mode], 'ep', make(), { commit: site.head })
    expect([answer.status, problemOf(answer).code]).toEqual([422, 'invalid-episode'])
    expect(problemOf(answer).detail).toMatch(detail)
    expect(await receivers[mode].incoming()).toEqual([])
    expect(await receivers[mode].index()).toEqual([])
  })
})

describe('inspect = "full" refuses further', () => {
  const cases: [string, RegExp, () => Buffer][] = [
    ['a later name that leads outside', /outside/, () => packed(meta(), { path: 'ep/../../x', body: 'x' })],
    ['a link that leads outside', /outside/, () => packed(meta(), { path: 'ep/l', type: 'SymbolicLink', linkpath: '../../x' })],
    ['an absolute link', /outside/, () => packed(meta(), { path: 'ep/l', type: 'SymbolicLink', linkpath: '/etc/passwd' })],
    ['a hard link', /Link/, () => packed(meta(), { path: 'ep/l', type: 'Link', linkpath: 'ep/meta.json' })],
    ['a FIFO', /FIFO/, () => packed(meta(), { path: 'ep/pipe', type: 'FIFO' })],
    ['no meta.json', /no meta\.json/, () => packed({ path: 'ep/telemetry.bin', body: 'x' })],
    [
      'a damaged second frame',
      /./,
      () => Buffer.concat([episode('ep', site.head), Buffer.from('28b52ffd', 'hex'), Buffer.alloc(9)]),
    ],
    ['garbage after the end', /zstd/, () => Buffer.concat([episode('ep', site.head), Buffer.from('some garbage')])],
  ]
  it.each(cases)('%s', async (_what, detail, make) => {
    const answer = await put(receivers.full, 'ep', make(), { commit: site.head })
    expect([answer.status, problemOf(answer).code]).toEqual([422, 'invalid-episode'])
    expect(problemOf(answer).detail).toMatch(detail)
  })
})

describe.each(modes)('inspect = "%s" takes', (mode) => {
  const fromTar = (id: string, ...args: string[]) => {
    const folder = join(site.root, mode, id)
    mkdirSync(join(folder, 'sub'), { recursive: true })
    writeFileSync(join(folder, 'meta.json'), metaText(id, site.head))
    writeFileSync(join(folder, 'sub', 'telemetry.bin'), 'x'.repeat(10_000))
    symlinkSync('sub/telemetry.bin', join(folder, 'latest'))
    const out = join(site.root, mode, `${id}.tar.zst`)
    execFileSync('tar', ['--zstd', '-cf', out, ...args])
    return readFileSync(out)
  }
  const cases: [string, (id: string) => Buffer][] = [
    ['tar-folder', (id) => fromTar(id, '-C', join(site.root, mode), id)],
    ['tar-root', (id) => fromTar(id, '-C', join(site.root, mode, id), 'meta.json', 'sub', 'latest')],
    ['tar-dot', (id) => fromTar(id, '-C', join(site.root, mode, id), '.')],
    ['skippable-in-front', (id) => Buffer.concat([skippableFrame('a note'), episode(id, site.head)])],
    [
      'many-frames',
      (id) => {
        const tar = tarOf([
          { path: `${id}/meta.json`, body: metaText(id, site.head) },
          { path: `${id}/x`, body: 'y'.repeat(9000) },
        ])
        return Buffer.concat([zstdCompressSync(tar.subarray(0, 700)), zstdCompressSync(tar.subarray(700)), skippableFrame('end')])
      },
    ],
    ['stamp-upper-case', (id) => episode(id, site.head.toUpperCase())],
    ['host-upper-case', (id) => episode(id, site.head, 'x', { host: 'LAB-07' })],
    ['unknown-fields', (id) => episode(id, site.head, 'x', { operator: 'me', nested: { a: [1] } })],
    ['dirty', (id) => episode(id, site.head, 'x', { code_version: { commit: site.head, dirty: true } })],
  ]
  it.each(cases)('%s', async (id, make) => {
    const answer = await put(receivers[mode], id, make(id), { commit: site.head })
    expect([answer.status, answer.body.toString()]).toEqual([201, expect.stringContaining(id)])
    if (id === 'dirty') expect(JSON.parse(answer.body.toString()).dirty).toBe(true)
  })
})

describe('the order of 400 and 422', () => {
  it('tells the wrong hash first: the body is read to its end', async () => {
    const answer = await put(receivers.head, 'ep', Buffer.from('no archive'), {
      commit: site.head,
      headers: { 'X-Content-SHA256': '1'.repeat(64) },
    })
    expect([answer.status, problemOf(answer).code]).toEqual([400, 'sha256-mismatch'])
  })

  it('takes anything with inspect = "off"', async () => {
    const trusting = await site.start({ ingest: { inspect: 'off' } })
    expect((await put(trusting, 'ep', Buffer.from('no archive'), { commit: site.head })).status).toBe(201)
  })
})
