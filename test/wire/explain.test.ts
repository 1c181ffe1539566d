/** What became of an episode, told by the receiver: every decision in the order of time, to whom it concerns. */
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Explanation } from '@cis490/shared/explain.ts'
import { TaintRow } from '@cis490/shared/taint.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreLayout } from '../../packages/receiver/src/store/layout.ts'
import { appendTaint } from '../../packages/receiver/src/store/taints.ts'
import { episode } from '../support/archives.ts'
import { hostFiles } from '../support/pki.ts'
import { Program, runToEnd } from '../support/program.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { ask, type Identity, jsonOf, problemOf, put } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
let reader: Identity
let other: Identity
let waivers: string
let layout: StoreLayout

beforeAll(async () => {
  site = await Site.make()
  reader = await hostFiles(site.root, 'reader', site.pki.authority, 'ops-01')
  other = await hostFiles(site.root, 'other', site.pki.authority, 'lab-08')
  waivers = join(site.root, 'waivers.toml')
  writeFileSync(waivers, '')
  const version_gate = { repo_path: site.repo.path, window: 3, refresh: '50ms', waivers_file: waivers }
  receiver = await site.start({ auth: { readers: ['ops-01'] }, version_gate })
  layout = new StoreLayout(receiver.stateDir)
})
afterAll(() => site[Symbol.asyncDispose]())

async function explain(query: string, identity: Identity = site.pki.host, to = receiver): Promise<Explanation> {
  const answer = await ask(to, `/v1/explain?${query}`, { ...(identity !== undefined && { identity }) })
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json'])
  return Explanation.parse(jsonOf(answer))
}
const whats = ({ events }: Explanation) => events.map(({ what }) => what)
const taint = (rest: object) =>
  appendTaint(
    layout,
    TaintRow.parse({ at: new Date().toISOString(), value: 'x', state: 'tainted', reason: 'drift', by: 'kim', ...rest }),
  )

it('an episode that was refused by the gate, let in by a waiver, sent again, marked as bad, cleared, and taken out', async () => {
  const [id, commit] = ['ep', site.tooOld]
  const bytes = episode(id, commit)
  expect((await put(receiver, id, bytes, { commit })).status).toBe(412)
  const refused = await eventually(
    () => explain('id=ep'),
    ({ state }) => state === 'refused',
  )
  expect(refused.events).toEqual([
    expect.objectContaining({
      what: 'refused',
      status: 412,
      code: 'commit-not-in-window',
      commit,
      bytes_read: expect.any(Number),
    }),
  ])
  expect(refused.next).toContain('until the gate lets its commit in')

  writeFileSync(
    waivers,
    `[[waiver]]\nhost = "lab-07"\ncommits = ["${commit}"]\nuntil = 2200-01-01\nreason = "good"\nby = "kim"\n`,
  )
  await eventually(
    () => put(receiver, id, bytes, { commit }),
    ({ status }) => status === 201,
  )
  // Sent again with the same bytes: the first receipt is the answer, and nothing is decided anew.
  expect((await put(receiver, id, bytes, { commit })).status).toBe(200)
  expect((await put(receiver, id, episode(id, commit, 'other'), { commit })).status).toBe(409)
  const stored = await eventually(
    () => explain('id=ep'),
    (now) => whats(now).at(-1) === 'refused',
  )
  expect(stored).toMatchObject({ host: 'lab-07', state: 'stored', notes: [], next: 'nothing: it is stored for good' })
  expect(new Set(whats(stored).slice(0, -3))).toEqual(new Set(['refused']))
  expect(stored.events.slice(-3)).toEqual([
    expect.objectContaining({ what: 'received', verdict: 'waiver', text: expect.stringContaining('let in by a waiver') }),
    expect.objectContaining({ what: 'indexed', seq: 1 }),
    expect.objectContaining({ what: 'refused', code: 'content-conflict' }),
  ])
  expect(stored.events.map(({ at }) => at).toSorted()).toEqual(stored.events.map(({ at }) => at))

  await taint({ kind: 'commit', value: commit, commits: [commit] })
  expect(await explain('id=ep')).toMatchObject({
    tainted: { reason: 'drift', by: 'kim' },
    next: expect.stringContaining('out of lists and manifests while it is tainted: drift'),
  })
  await taint({ kind: 'id', id, state: 'cleared', reason: 'checked' })
  expect(whats(await explain('id=ep')).slice(-2)).toEqual(['tainted', 'cleared'])

  const [{ sha256, bytes: size }] = (await receiver.index()) as [{ sha256: string; bytes: number }]
  const act = { at: new Date().toISOString(), host: 'lab-07', id, sha256, bytes: size, by: 'kim', reason: 'disk' }
  appendFileSync(layout.prunes, `${JSON.stringify(act)}\n`)
  await rm(layout.archive({ host: 'lab-07', id } as never))
  const pruned = await explain('id=ep')
  expect([pruned.state, whats(pruned).at(-1)]).toEqual(['pruned', 'pruned'])
  expect(pruned.events.at(-1)?.text).toBe('taken out of the store by kim: disk')
  const listed = await ask(receiver, '/v1/episodes?pruned=only', { identity: reader })
  expect(jsonOf(listed)).toMatchObject({ id, pruned: { by: 'kim', reason: 'disk' } })
  expect((await ask(receiver, '/v1/episodes', { identity: reader })).body.length).toBe(0)
})

describe('a host learns of its own episodes alone', () => {
  beforeAll(async () => {
    for (const identity of [site.pki.host, other])
      expect((await put(receiver, 'twin', episode('twin', site.head), { commit: site.head, identity })).status).toBe(201)
    expect((await put(receiver, 'theirs', episode('theirs', site.tooOld), { commit: site.tooOld, identity: other })).status).toBe(
      412,
    )
    await eventually(
      () => explain('id=theirs', reader),
      ({ state }) => state === 'refused',
    )
  })
  it('nothing of what another one has', async () => {
    expect(await explain('id=theirs')).toMatchObject({ host: 'lab-07', state: 'unknown', events: [] })
    expect(await explain('id=twin', other)).toMatchObject({ host: 'lab-08', state: 'stored' })
    const refused = await ask(receiver, '/v1/explain?id=theirs&host=lab-08')
    expect([refused.status, problemOf(refused).code]).toEqual([403, 'wrong-host'])
  })
  it('a reader and the ops listener name the host where several have the id', async () => {
    expect(await explain('id=theirs', reader)).toMatchObject({ host: 'lab-08', state: 'refused' })
    expect(await explain('id=twin&host=lab-08', reader)).toMatchObject({ host: 'lab-08', state: 'stored' })
    const several = problemOf(await ask(receiver, '/v1/explain?id=twin', { identity: reader }))
    expect([several.code, several.detail]).toEqual(['bad-query', expect.stringContaining('lab-07 lab-08')])
    const ops = await fetch(`${receiver.opsUrl}/v1/explain?id=theirs`)
    expect(await ops.json()).toMatchObject({ host: 'lab-08', state: 'refused' })
  })
  it('a refusal of somebody unknown is told to readers, not to the host that may not have been it', async () => {
    expect((await put(receiver, 'anon', episode('anon', site.head), { commit: site.head, identity: null })).status).toBe(403)
    const told = await eventually(
      () => explain('id=anon', reader),
      ({ events }) => events.length > 0,
    )
    expect(told.events[0]).toMatchObject({ code: 'certificate-missing', text: expect.stringContaining('by whom is not known') })
    expect(await explain('id=anon')).toMatchObject({ state: 'unknown', events: [] })
  })
})

it.each([
  ['', 'id: which episode?'],
  ['id=', 'id: an episode id is'],
  ['id=..%2Fx', 'id: an episode id is'],
  ['id=a&host=-', 'host: a host name is'],
  ['ids=a', 'there is no such parameter; id, host'],
])('explain?%s is a bad-query', async (query, detail) => {
  const told = problemOf(await ask(receiver, `/v1/explain?${query}`))
  expect([told.status, told.code]).toEqual([400, 'bad-query'])
  expect(told.detail).toContain(detail)
})

it('says that older refusals may be gone, that an upload is open, and what a repair found to be lost', async () => {
  const fresh = await site.start()
  const at = new StoreLayout(fresh.stateDir)
  await put(fresh, 'old', episode('old', site.tooOld), { commit: site.tooOld })
  await eventually(
    () => fresh.rejects(),
    (rows) => rows.length === 1,
  )
  renameSync(at.rejects, `${at.rejects}.1`)
  const old = await explain('id=old', undefined, fresh)
  expect([old.state, old.notes]).toEqual(['refused', [`refusals before ${old.events[0]?.at} may have been rotated away`]])

  mkdirSync(at.uploads, { recursive: true })
  const upload = { id: 'big', host: 'lab-07', offset: 5, length: 9, created_at: '2026-11-21T10:00:00.000Z' }
  writeFileSync(join(at.uploads, 'u.json'), JSON.stringify(upload))
  expect(await explain('id=big', undefined, fresh)).toMatchObject({
    state: 'uploading',
    events: [{ what: 'upload', text: expect.stringContaining('5 of 9 bytes'), offset: 5, length: 9 }],
  })
  const loss = { at: '2026-11-21T11:00:00.000Z', id: 'gone', host: 'lab-07', reason: 'wrong-hash', by: 'kim' }
  appendFileSync(at.losses, `${JSON.stringify(loss)}\n`)
  expect(await explain('id=gone', undefined, fresh)).toMatchObject({ state: 'lost', events: [{ what: 'lost' }] })
})

it('the command tells the same from the disk, while the receiver runs', async () => {
  await using running = await startProcess()
  const { config, id } = running
  const run = await runToEnd('receiver', ['explain', id, '--config', config])
  expect(run).toMatchObject({ code: 0, stderr: '' })
  expect(run.stdout).toMatch(
    /^lab-07\/one: stored\n {2}\S+Z {2}upload refused: 412 .*\n {2}\S+Z {2}stored and acknowledged: .*\n.*row 1/,
  )
  expect(run.stdout).toMatch(/\nnext: nothing: it is stored for good\n$/)
  const unknown = await runToEnd('receiver', ['explain', 'nobody', '--config', config, '--json'])
  expect([unknown.code, JSON.parse(unknown.stdout)]).toEqual([1, expect.objectContaining({ state: 'unknown', events: [] })])
  expect((await runToEnd('receiver', ['explain', '../x', '--config', config])).code).toBe(2)
}, 180_000)

async function startProcess() {
  const state = site.newStateDir()
  const config = join(site.root, 'explain.toml')
  const at = new StoreLayout(state)
  mkdirSync(state)
  const row = { at: '2026-11-21T09:00:00.000Z', host: 'lab-07', id: 'one', status: 412, code: 'commit-not-in-window' }
  writeFileSync(at.rejects, `${JSON.stringify(row)}\n`)
  writeFileSync(
    config,
    `state_dir = "${state}"\nlisten = "127.0.0.1:0"\nops_listen = "127.0.0.1:0"\n[limits]\nheadroom = "0"\n[version_gate]\nmode = "off"\n`,
  )
  const receiver = new Program('receiver', ['serve', '--config', config])
  const { url } = await receiver.line({ event: 'listening', listener: 'receiver' })
  const to = { url: String(url), pki: site.pki }
  const answer = await put(to, 'one', episode('one', site.head), { headers: { 'X-Cis490-Host': 'lab-07' } })
  expect(answer.status).toBe(201)
  return { config, id: 'one', [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose]() }
}
