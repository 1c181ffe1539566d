import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { problem } from '@cis490/shared/problems.ts'
import { expect, onTestFinished, test } from 'vitest'
import { type AgentHome, makeAgentHome, recordEpisode, stamp } from '../../support/agent-home.ts'
import { runToEnd } from '../../support/program.ts'

const program = fileURLToPath(new URL('../../../packages/agent/bin/cis490-agent', import.meta.url))

function agent(home: AgentHome, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(program, [...args, '--config', home.config], { encoding: 'utf8' })
  return { status, stdout, stderr, json: () => JSON.parse(stdout) as Record<string, unknown> }
}

function setSidecar(home: AgentHome, id: string, change: Record<string, unknown>): void {
  const path = join(home.outbox, `${id}.json`)
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...change }))
}

test('scan packs what is finished and exits 0; recordings wait', () => {
  const home = makeAgentHome()
  recordEpisode(home, 'ep-1')
  mkdirSync(join(home.episodes, 'ep-2'))
  const { status, stdout } = agent(home, 'scan')
  expect(status).toBe(0)
  expect(stdout).toMatch(/^packed +ep-1/m)
  expect(stdout).toMatch(/^recording +ep-2 +no-meta$/m)
  execFileSync('tar', ['--zstd', '-tf', join(home.outbox, 'ep-1.tar.zst')])
})

test('scan --json prints one document on stdout and logs on stderr', () => {
  const home = makeAgentHome()
  recordEpisode(home, 'ep-1')
  const { stdout, stderr } = agent(home, 'scan', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ packed: [{ id: 'ep-1', lane: 'ready' }], refused: [], later: [] })
  // The reserve may be made, and logged, before it.
  const logged = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  expect(logged).toContainEqual(expect.objectContaining({ event: 'packed', id: 'ep-1' }))
})

test('an episode that cannot be packed is quarantined with the path, until its folder changes', () => {
  const home = makeAgentHome()
  const folder = recordEpisode(home, 'ep-1')
  symlinkSync('/etc/passwd', join(folder, 'secret'))
  const first = agent(home, 'scan')
  expect(first.status).toBe(1)
  expect(first.stdout).toMatch(/^refused +ep-1 +secret: link-outside$/m)
  expect(first.stderr).toContain('"event":"pack-refused"')
  const again = agent(home, 'scan')
  expect(again.status).toBe(1)
  expect(again.stderr).not.toContain('pack-refused')
  const { entries } = agent(home, 'outbox', 'list', '--json').json() as { entries: object[] }
  expect(entries).toEqual([
    {
      id: 'ep-1',
      lane: 'quarantine',
      bytes: expect.any(Number),
      commit: stamp,
      attempts: 0,
      last: { status: 0, code: 'pack-refused' },
    },
  ])
  expect(agent(home, 'outbox', 'show', 'ep-1', '--json').json()).toMatchObject({ path: 'secret', reason: 'link-outside' })
  rmSync(join(folder, 'secret'))
  expect(agent(home, 'scan').status).toBe(0)
  expect(readdirSync(home.outbox)).toEqual(['ep-1.json', 'ep-1.tar.zst'])
})

test('an episode whose meta.json is older than a file for hours is reported as stuck, with the remedy', () => {
  const home = makeAgentHome()
  const folder = recordEpisode(home, 'ep-1')
  utimesSync(join(folder, 'telemetry.csv'), 1_700_000_001, 1_700_000_001)
  const { status, stdout, stderr } = agent(home, 'scan')
  expect(status).toBe(0)
  expect(stdout).toMatch(/^stuck +ep-1 .*touch meta\.json$/m)
  expect(stderr).toContain('"event":"episode-stuck"')
})

test('outbox list --json gives exactly the agreed keys', () => {
  const home = makeAgentHome()
  recordEpisode(home, 'ep-1')
  agent(home, 'scan')
  const last = { status: 412, code: 'commit-denied', at: '2026-11-21T00:00:00.000Z' }
  const next_at = '2026-11-21T01:00:00.000Z'
  setSidecar(home, 'ep-1', { lane: 'gated', attempts: 2, last, next_at, upload_url: 'http://127.0.0.1:1/v1/uploads/x' })
  const sidecar = JSON.parse(readFileSync(join(home.outbox, 'ep-1.json'), 'utf8')) as { sha256: string; bytes: number }
  expect(agent(home, 'outbox', 'list', '--json').json()).toEqual({
    entries: [
      {
        ...{ id: 'ep-1', lane: 'gated', sha256: sidecar.sha256, bytes: sidecar.bytes, commit: stamp, attempts: 2 },
        last: { status: 412, code: 'commit-denied' },
        next_at,
      },
    ],
  })
  expect(agent(home, 'outbox', 'list').stdout).toMatch(/ep-1 +gated .* 412 commit-denied +2026-11-21T01:00:00\.000Z/)
  expect(agent(home, 'scan').status).toBe(1)
})

test('release puts entries back on the ready lane, due at once', () => {
  const home = makeAgentHome()
  for (const id of ['ep-1', 'ep-2']) recordEpisode(home, id)
  agent(home, 'scan')
  for (const id of ['ep-1', 'ep-2'])
    setSidecar(home, id, { lane: 'quarantine', next_at: '2099-01-01T00:00:00.000Z', attempts: 4 })
  expect(agent(home, 'outbox', 'release', 'ep-1', 'ep-2', '--json').json()).toEqual({ released: ['ep-1', 'ep-2'] })
  const shown = agent(home, 'outbox', 'show', 'ep-1', '--json').json()
  expect(shown).toMatchObject({ lane: 'ready', attempts: 4 })
  expect(shown).not.toHaveProperty('next_at')
})

test('drop wants a reason, leaves a tombstone, and keeps the folder', () => {
  const home = makeAgentHome()
  const folder = recordEpisode(home, 'ep-1')
  agent(home, 'scan')
  expect(agent(home, 'outbox', 'drop', 'ep-1')).toMatchObject({ status: 2, stderr: expect.stringContaining('--reason') })
  expect(agent(home, 'outbox', 'drop', 'ep-1', '--reason', ' ').status).toBe(2)
  expect(readdirSync(home.outbox)).toHaveLength(2)
  expect(agent(home, 'outbox', 'drop', 'ep-1', '--reason', 'camera was covered').status).toBe(0)
  expect(readFileSync(join(home.state, 'tombstones.jsonl'), 'utf8')).toContain('"reason":"camera was covered"')
  expect(agent(home, 'outbox', 'list').stdout).toBe('the outbox is empty\n')
  expect(agent(home, 'scan', '--json').json()).toMatchObject({ packed: [], dropped: ['ep-1'] })
  expect(existsSync(folder)).toBe(true)
})

test('mistakes are one clear line and never a stack', () => {
  const home = makeAgentHome()
  const unknown = agent(home, 'outbox', 'show', 'ep-9')
  expect([unknown.status, unknown.stderr]).toEqual([
    1,
    'cis490-agent: ep-9 is not in the outbox; "cis490-agent outbox list" shows what is\n',
  ])
  const bad = agent(home, 'outbox', 'show', '../../etc/passwd')
  expect([bad.status, bad.stderr.split('\n').length]).toEqual([2, 2])
  writeFileSync(home.config, '[receiver]\nurl = "http://127.0.0.1:1"\n[shipp]\n')
  const config = agent(home, 'check-config')
  expect([config.status, config.stderr]).toEqual([
    78,
    `cis490-agent: bad configuration\n${home.config}:3: unknown key shipp; did you mean ship?\n`,
  ])
})

test('check-config prints the effective configuration', () => {
  const home = makeAgentHome('[host]\nname = "lab-07"\n[ship]\nrescan = "5m"\n')
  const { status, json } = agent(home, 'check-config', '--json')
  expect(status).toBe(0)
  expect(json()).toMatchObject({ ship: { rescan: 300_000, concurrency: 2 }, paths: { outbox: home.outbox } })
})

test.each([
  ['ca_file', /receiver\.ca_file: cannot read /],
  ['token_file', /receiver\.token_file: cannot read /],
  ['cert_file', /receiver\.cert_file and receiver\.key_file go together/],
])('check-config does not pass a %s that run refuses', (key, words) => {
  const home = makeAgentHome('[host]\nname = "lab-07"\n')
  const toml = readFileSync(home.config, 'utf8')
  writeFileSync(home.config, toml.replace('[paths]', `${key} = "${join(home.root, 'none')}"\n[paths]`))
  const [checked, ran] = [agent(home, 'check-config'), agent(home, 'run')]
  expect([checked.status, checked.stdout, checked.stderr]).toEqual([78, '', ran.stderr])
  expect(checked.stderr).toMatch(words)
  expect(ran.status).toBe(78)
})

test('what the receiver says to a report cannot forge a second line', async () => {
  const server = createServer((_, response) => {
    const body = problem('unauthorized', 'no\u001b[2J\ncis490-agent: all is well')
    response.writeHead(401, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const home = makeAgentHome('[host]\nname = "lab-07"\n')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  writeFileSync(home.config, readFileSync(home.config, 'utf8').replace('http://127.0.0.1:1', url))
  const { code, stderr } = await runToEnd('agent', ['report', '--config', home.config])
  expect([code, stderr.trim().split('\n').at(-1)]).toEqual([
    3,
    'cis490-agent: the report was not delivered: 401 A valid bearer token is required: no[2Jcis490-agent: all is well',
  ])
})

test('while another process holds the lock, writers exit 3 with one line and readers still read', async () => {
  const home = makeAgentHome()
  recordEpisode(home, 'ep-1')
  agent(home, 'scan')
  await makeDir(home.state)
  using lock = takeLock(join(home.state, 'agent.lock'))
  expect(lock).toBeDefined()
  for (const args of [['scan'], ['outbox', 'release', 'ep-1'], ['outbox', 'drop', 'ep-1', '--reason', 'x']]) {
    const { status, stdout, stderr } = agent(home, ...args)
    expect([args[0], status, stdout]).toEqual([args[0], 3, ''])
    expect(stderr).toContain('cis490-agent run is at work (it ships by itself)')
    expect(stderr).toContain('sudo systemctl stop cis490-orchestrator')
    expect(stderr.trim().split('\n')).toHaveLength(1)
  }
  expect(agent(home, 'outbox', 'list').status).toBe(0)
  expect(agent(home, 'outbox', 'show', 'ep-1').status).toBe(0)
})
