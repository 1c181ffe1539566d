import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VersionGateConfig } from '@cis490/receiver/forge/config.ts'
import { VersionGate } from '@cis490/receiver/forge/version-gate.ts'
import { GateAnswer } from '@cis490/shared/gate-answer.ts'
import { HostName } from '@cis490/shared/ids.ts'
import { gateRemediation } from '@cis490/shared/remediation.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { capturedLog } from '../../support/captured-log.ts'
import { TinyForgejo } from '../../support/forgejo.ts'

const host = HostName.parse('lab-07')
const old = 'd'.repeat(40)
let stack: AsyncDisposableStack
let folder: string
let forge: TinyForgejo
let captured: ReturnType<typeof capturedLog>
let now: number

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  folder = mkdtempSync(join(tmpdir(), 'gate-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  forge = stack.use(await TinyForgejo.start())
  captured = capturedLog()
  now = Date.parse('2026-11-21T12:00:00Z')
})
afterEach(() => stack.disposeAsync())

async function start(extra: object = {}): Promise<VersionGate> {
  const config = VersionGateConfig.parse({
    refresh: '1h',
    forgejo_url: forge.url,
    repo_owner: 'spectral',
    repo_name: 'CIS490',
    ...extra,
  })
  const options = { now: () => now, foundClone: join(folder, 'no-clone'), timeoutMs: 300 }
  return stack.use(await VersionGate.start(config, folder, captured.log, options))
}

/** What an upload with this stamp would be told, in a word. */
async function told(gate: VersionGate, stamp: string): Promise<string> {
  const verdict = await gate.ask({ stamp, host })
  return verdict.kind === 'refuse' ? verdict.code : (verdict.mark ?? 'accept')
}

const path = (name: string) => join(folder, name)
const denyText = (commit: string) => `[[deny]]\ncommit = "${commit}"\nreason = "wrong clock"\nby = "ada"\n`
const waiverText = (until: string) =>
  `[[waiver]]\nhost = "LAB-07"\ncommits = ["${old.toUpperCase()}"]\nuntil = ${until}\nreason = "good data"\nby = "ada"\n`

describe('asking', () => {
  it('lets in a commit that was pushed after the last refresh', async () => {
    forge.push(3)
    const gate = await start()
    expect(await told(gate, forge.push())).toBe('accept')
  })

  it('asks the forge nothing for a malformed stamp', async () => {
    forge.push(3)
    const gate = await start()
    const before = forge.requests.length
    expect(await told(gate, 'f8ad02b')).toBe('commit-malformed')
    expect(forge.requests).toHaveLength(before)
  })

  it('answers 503 and is not ready without a set, and mends itself', async () => {
    forge.push(3)
    forge.fault = 'down'
    const gate = await start()
    expect(gate.ready()).toBe(false)
    expect(captured.at('error')).toHaveLength(1)
    expect(await told(gate, old)).toBe('gate-unavailable')
    expect(GateAnswer.parse(gate.status())).toMatchObject({ head: null, source: null, size: 0, fetched_at: null, age_s: null })
    expect(await gate.answerFor(old, host)).toMatchObject({ verdict: 'unavailable', code: 'gate-unavailable', head_commit: null })
    forge.fault = undefined
    now += 1000
    expect(await told(gate, forge.commits[1] ?? '')).toBe('accept')
    expect(gate.ready()).toBe(true)
  })

  it('is ready in observe mode without a set', async () => {
    const gate = await start({ mode: 'observe' })
    expect(gate.ready()).toBe(true)
    expect(await told(gate, old)).toBe('observe')
  })

  it('asks no forge while it is off', async () => {
    const gate = await start({ enabled: false })
    expect(await told(gate, old)).toBe('accept')
    expect(gate.ready()).toBe(true)
    expect(gate.status()).toMatchObject({ mode: 'off', head: null })
    expect(forge.requests).toEqual([])
  })

  it('uses the token of its file', async () => {
    await using closed = await TinyForgejo.start({ token: 'opensesame' })
    closed.push()
    writeFileSync(path('token'), 'opensesame\n')
    const gate = await start({ forgejo_url: closed.url, auth_token_file: path('token') })
    expect(gate.ready()).toBe(true)
  })

  it('does not start with a token file that is not there', () =>
    expect(start({ auth_token_file: path('token') })).rejects.toThrow('version_gate.auth_token_file: cannot read'))
})

describe('the answer to GET /v1/gate', () => {
  it('tells the set and its age', async () => {
    forge.push(3)
    const gate = await start()
    now += 2600
    expect(GateAnswer.parse(gate.status())).toEqual({
      mode: 'enforce',
      branch: 'main',
      head: forge.commits[0],
      window: 100,
      size: 3,
      fetched_at: '2026-11-21T12:00:00.000Z',
      age_s: 3,
      source: 'api',
      failures: 0,
    })
  })

  it('tells what an upload of a commit would be told', async () => {
    forge.push(3)
    writeFileSync(path('deny.toml'), denyText(forge.commits[2] ?? ''))
    const gate = await start({ deny_file: path('deny.toml') })
    const head = forge.commits[0]
    expect(await gate.answerFor(forge.commits[1] ?? '', host)).toMatchObject({
      verdict: 'accept',
      position: 2,
      head_commit: head,
    })
    expect(await gate.answerFor(old, host)).toMatchObject({
      verdict: 'refuse',
      code: 'commit-not-in-window',
      head_commit: head,
      remediation: gateRemediation(),
    })
    expect(await gate.answerFor(forge.commits[2] ?? '', host)).toMatchObject({
      verdict: 'refuse',
      code: 'commit-denied',
      position: 3,
    })
    expect(await gate.answerFor('f8ad02b', host)).toMatchObject({ verdict: 'refuse', code: 'commit-malformed' })
    expect(await gate.answerFor(head ?? '', undefined)).not.toHaveProperty('code')
  })
})

describe('the rules files', () => {
  it('are read again when they are replaced or edited, without a restart', async () => {
    const head = forge.push(3)
    writeFileSync(path('deny.toml'), '')
    const gate = await start({ deny_file: path('deny.toml') })
    expect(await told(gate, head)).toBe('accept')
    writeFileSync(path('new.toml'), denyText(head))
    renameSync(path('new.toml'), path('deny.toml'))
    now += 999
    expect(await told(gate, head)).toBe('accept')
    now += 1
    expect(await told(gate, head)).toBe('commit-denied')
    writeFileSync(path('deny.toml'), '# lifted\n')
    now += 1000
    expect(await told(gate, head)).toBe('accept')
  })

  it('keep the last good rules while a file is broken or gone, and say so once', async () => {
    const head = forge.push(3)
    writeFileSync(path('deny.toml'), denyText(head))
    const gate = await start({ deny_file: path('deny.toml') })
    writeFileSync(path('deny.toml'), '[[deny]\n')
    for (let k = 0; k < 3; k++) {
      now += 1000
      expect(await told(gate, head)).toBe('commit-denied')
    }
    expect(captured.at('error')).toEqual([expect.objectContaining({ reason: expect.stringContaining('deny.toml:1') })])
    renameSync(path('deny.toml'), path('away.toml'))
    now += 1000
    expect(await told(gate, head)).toBe('commit-denied')
    expect(captured.at('error')).toHaveLength(2)
  })

  it('may be written after the start', async () => {
    const head = forge.push(3)
    const gate = await start({ deny_file: path('deny.toml') })
    expect(captured.at('warn')).toContainEqual(expect.objectContaining({ path: path('deny.toml') }))
    writeFileSync(path('deny.toml'), denyText(head))
    now += 1000
    expect(await told(gate, head)).toBe('commit-denied')
  })

  it.each([
    ['a TOML time', '2026-11-21T13:00:00+01:00', 'commit-not-in-window'],
    ['a TOML time that is still to come', '2026-11-21T13:30:00+01:00', 'waiver'],
    ['a day as a TOML date, to its end', '2026-11-21', 'waiver'],
    ['the day before', '2026-11-20', 'commit-not-in-window'],
    ['a time as text', '"2026-11-21T12:00:01Z"', 'waiver'],
    ['a day as text', '"2026-11-21"', 'waiver'],
  ])('read the end of a waiver from %s', async (_case, until, expected) => {
    forge.push(3)
    writeFileSync(path('waivers.toml'), waiverText(until))
    const gate = await start({ waivers_file: path('waivers.toml') })
    expect(await told(gate, old)).toBe(expected)
  })

  it('let a waiver in without a restart, and out', async () => {
    forge.push(3)
    writeFileSync(path('waivers.toml'), '')
    const gate = await start({ waivers_file: path('waivers.toml') })
    expect(await told(gate, old)).toBe('commit-not-in-window')
    writeFileSync(path('waivers.toml'), waiverText('2026-11-21'))
    now += 1000
    expect(await told(gate, old)).toBe('waiver')
    now += 12 * 3_600_000
    expect(await told(gate, old)).toBe('commit-not-in-window')
  })

  it.each([
    ['a key that is unknown', `${denyText(old)}host = "x"\n`, /unknown key deny\.0\.host/],
    ['a commit that is none', denyText('f8ad02b'), /a commit is 40 or 64/],
    ['no reason', `[[deny]]\ncommit = "${old}"\nby = "ada"\n`, /deny\.0\.reason/],
  ])('stop the start with %s', async (_case, text, reason) => {
    writeFileSync(path('deny.toml'), text)
    await expect(start({ deny_file: path('deny.toml') })).rejects.toThrow(reason)
  })

  it.each(['2026-11-21T13:00:00', '12:00:00', '"soon"', '"2026-13-40"', '7'])('stop the start with the end %s', async (until) => {
    writeFileSync(path('waivers.toml'), waiverText(until))
    await expect(start({ waivers_file: path('waivers.toml') })).rejects.toThrow(/waiver\.0\.until/)
  })
})
