/** Staged updates over the wire: hosts of several waves, a branch that moves, and a receiver that is started anew. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RolloutView } from '@cis490/shared/rollout.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hostFiles, type IssuedFiles } from '../support/pki.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { ask, jsonOf, problemOf } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
const identities = new Map<string, IssuedFiles>()
const names = ['lab-01', 'lab-02', 'lab-11', 'lab-21']

beforeAll(async () => {
  site = await Site.make()
  for (const name of names) identities.set(name, await hostFiles(site.root, name, site.pki.authority, name))
})
afterAll(() => site[Symbol.asyncDispose]())

const start = (stateDir: string, update = {}, more = {}) =>
  site.start({
    stateDir,
    version_gate: { repo_path: site.repo.path, window: 3, refresh: '1h', ...more },
    update: { soak: '0s', ...update },
  })

/** Another receiver with an empty store, instead of the one before. */
async function anew(update = {}, more = {}): Promise<void> {
  await receiver?.stop()
  receiver = await start(site.newStateDir(), update, more)
}

interface Update {
  allowed: boolean
  reason: string
  text: string
  wave?: number
  commit?: string
}

/** One heartbeat. @returns what it was told of updates */
async function beat(host: string, wave: number | undefined, commit: string): Promise<Update | undefined> {
  const body = JSON.stringify({ commit, wave })
  const answer = await ask(receiver, `/v1/hosts/${host}/heartbeat`, { method: 'POST', body, identity: identities.get(host) })
  if (answer.status === 204) return undefined
  return jsonOf(answer)['update'] as Update
}

async function report(host: string, commit: string, outcome: string, more = {}): Promise<void> {
  const body = JSON.stringify({ host, commit, outcome, ...more })
  const answer = await ask(receiver, `/v1/host-health/${host}`, { method: 'PUT', body, identity: identities.get(host) })
  expect(answer.status).toBe(204)
}

const reasonOf = async (...said: Parameters<typeof beat>) => (await beat(...said))?.reason
const [old, head] = [() => site.commits[1] as string, () => site.head]

describe('a new head', () => {
  beforeEach(() => anew())

  it('goes from wave to wave, each after the one before has shown that it works', async () => {
    expect(await beat('lab-01', 0, old())).toMatchObject({ allowed: true, reason: 'canary', wave: 0, commit: head() })
    expect(await beat('lab-11', 1, old())).toMatchObject({ allowed: false, reason: 'behind', wave: 1, commit: head() })
    expect(await reasonOf('lab-01', 0, head())).toBe('current')
    expect(await reasonOf('lab-11', 1, old())).toBe('unreported')
    await report('lab-01', head(), 'fail')
    expect(await reasonOf('lab-11', 1, old())).toBe('unwell')
    await report('lab-01', head(), 'warn')
    expect(await beat('lab-11', 1, old())).toMatchObject({ allowed: true, reason: 'proven' })
    expect(await reasonOf('lab-21', 2, old())).toBe('behind')
    await beat('lab-11', 1, head())
    await report('lab-11', head(), 'pass')
    expect(await reasonOf('lab-21', 2, old())).toBe('proven')
  })

  it('stops where a host took it and went back', async () => {
    await beat('lab-01', 0, head())
    await report('lab-01', head(), 'pass')
    await beat('lab-02', 0, old())
    await report('lab-02', old(), 'pass', { update: { outcome: 'rolled-back', from: old(), to: head() } })
    const told = await beat('lab-11', 1, old())
    expect(told).toMatchObject({ allowed: false, reason: 'rolled-back', text: expect.stringContaining('lab-02') })
  })

  it('is not let go before the time, and what is known outlives the receiver', async () => {
    await anew({ soak: '1d' })
    await beat('lab-01', 0, head())
    await report('lab-01', head(), 'pass')
    expect(await reasonOf('lab-11', 1, old())).toBe('soaking')
    await receiver.stop()
    // Two days later.
    const path = join(receiver.stateDir, 'rollout.json')
    const ago = new Date(Date.now() - 2 * 86_400_000).toISOString()
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"since":"[^"]+"/, `"since":"${ago}"`))
    receiver = await start(receiver.stateDir, { soak: '1d' })
    await beat('lab-01', 0, head())
    // The report is read from its file; it came after the update.
    const told = await eventually(
      () => reasonOf('lab-11', 1, old()),
      (reason) => reason !== 'unreported',
    )
    expect(told).toBe('proven')
  })

  it('that nobody goes ahead with waits for its time alone', async () => {
    expect(await reasonOf('lab-11', 1, old())).toBe('no-canaries')
    await anew({ soak: '1h' })
    expect(await reasonOf('lab-11', 1, old())).toBe('soaking')
  })

  it('is unknown to a receiver without a branch: later waves wait, canaries do not', async () => {
    await anew({}, { mode: 'off' })
    expect(await reasonOf('lab-11', 1, old())).toBe('head-unknown')
    expect(await reasonOf('lab-01', 0, old())).toBe('canary')
  })

  it('that replaces another begins anew', async () => {
    await anew({}, { refresh: '50ms' })
    await beat('lab-01', 0, head())
    await report('lab-01', head(), 'pass')
    expect(await reasonOf('lab-11', 1, old())).toBe('proven')
    const before = head()
    const next = site.repo.commit()
    const told = await eventually(
      () => beat('lab-11', 1, old()),
      (update) => update?.commit === next,
    )
    expect(told?.reason).toBe('behind')
    site.repo.run('reset', '--quiet', '--hard', before)
  })
})

describe('who is told', () => {
  beforeAll(() => anew())

  it('an agent without waves hears nothing of them', async () => {
    expect(await beat('lab-01', undefined, old())).toBeUndefined()
    expect(view(await ask(receiver, '/v1/rollout', { identity: identities.get('lab-01') })).hosts).toEqual({})
  })

  it('a hold beats every wave, also for an agent without waves', async () => {
    const file = join(site.root, 'hold.toml')
    writeFileSync(file, '[[directive]]\nhost = "*"\nhold_update = true\nreason = "exams"\nby = "ada"\n')
    await anew({}, { directives_file: file })
    const held = { allowed: false, reason: 'hold-update', text: 'held by the operator: exams' }
    expect(await beat('lab-01', 0, old())).toMatchObject(held)
    expect(await beat('lab-01', undefined, old())).toMatchObject(held)
  })

  it('a wave that is no number is a bad-report that says so', async () => {
    const body = '{"wave":"first"}'
    const answer = await ask(receiver, '/v1/hosts/lab-07/heartbeat', { method: 'POST', body })
    expect(problemOf(answer)).toMatchObject({ code: 'bad-report', detail: expect.stringContaining('wave') })
  })
})

describe('asking outside of a heartbeat', () => {
  beforeAll(() => anew())

  const update = (host: string, query: string, as = host) =>
    ask(receiver, `/v1/hosts/${host}/update${query}`, { identity: identities.get(as) })

  it('is answered for the wave and commit that are named, or that were heard', async () => {
    await beat('lab-01', 0, old())
    expect(jsonOf(await update('lab-11', `?wave=1&commit=${old()}`))).toMatchObject({ reason: 'behind', commit: head() })
    expect(jsonOf(await update('lab-11', `?wave=1&commit=${head()}`))).toMatchObject({ reason: 'current' })
    expect(jsonOf(await update('lab-01', ''))).toMatchObject({ reason: 'canary', wave: 0 })
  })

  it.each(['', '?wave=-1', '?wave=1001', '?wave=1e2', '?wave=1&commit=main'])('with %j is a bad-query', async (query) => {
    const answer = await update('lab-21', query)
    expect([answer.status, problemOf(answer).code]).toEqual([400, 'bad-query'])
  })

  it('is for the host itself; the operator sees who waits', async () => {
    await beat('lab-01', 0, old())
    await beat('lab-11', 1, old())
    const answer = await update('lab-01', '', 'lab-11')
    expect([answer.status, problemOf(answer).code]).toEqual([403, 'wrong-host'])
    const own = view(await ask(receiver, '/v1/rollout', { identity: identities.get('lab-11') }))
    expect(Object.keys(own.hosts)).toEqual(['lab-11'])
    const all = (await (await fetch(`${receiver.opsUrl}/v1/rollout`)).json()) as RolloutView
    expect(all).toMatchObject({
      head: head(),
      soak_s: 0,
      hosts: {
        'lab-01': { wave: 0, update: { reason: 'canary' } },
        'lab-11': { wave: 1, report: null, update: { reason: 'behind' } },
      },
    })
  })
})

function view(answer: Awaited<ReturnType<typeof ask>>): RolloutView {
  expect(answer.status).toBe(200)
  return jsonOf(answer) as unknown as RolloutView
}
