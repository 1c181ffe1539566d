/** A sick host gets its report and its heartbeat through, over real TLS, and says what changed. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import type { HostReport } from '@cis490/shared/report.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeApp, makeClient } from '../../packages/agent/src/app.ts'
import { openOutbox } from '../../packages/agent/src/commands/context.ts'
import { beat } from '../../packages/agent/src/commands/heartbeat.ts'
import { deliverReport, makeReport } from '../../packages/agent/src/commands/make-report.ts'
import type { AgentConfig } from '../../packages/agent/src/config.ts'
import { episode } from '../support/archives.ts'
import { capturedLog } from '../support/captured-log.ts'
import { hostConfig } from '../support/examined.ts'
import { expired, hostFiles } from '../support/pki.ts'
import { runToEnd } from '../support/program.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { scratchDir } from '../support/scratch.ts'
import { fillUp, testOnTinyDisk, tinyDisk } from '../support/tiny-disk.ts'
import { problemOf, put } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
})
afterAll(() => site[Symbol.asyncDispose]())

function host(at = receiver, paths: Partial<AgentConfig['paths']> = {}, files = site.pki.host): AgentConfig {
  const { certFile: cert_file, keyFile: key_file } = files
  const config = hostConfig({ url: at.url, ca_file: site.pki.caFile, cert_file, key_file })
  return { ...config, paths: { ...config.paths, ...paths } }
}

async function tell(config: AgentConfig): Promise<HostReport> {
  await using client = makeClient(config, { connections: 1 })
  const report = await makeReport({ config, configFile: 'lab-host.toml', now: Date.now })
  await deliverReport(client, report)
  return report
}

/** Once, as the daemon does. */
async function heartbeat(config: AgentConfig): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const { log } = capturedLog()
  const { outbox } = await openOutbox(config, log, stack)
  const context = { config, outbox, log, now: Date.now }
  const app = stack.use(makeApp(context, process.stderr, () => undefined))
  return await beat(context, app, new AbortController().signal)
}

const stored = (at = receiver) =>
  parseObject(readFileSync(join(at.stateDir, 'host-health', 'lab-07.json'), 'utf8')) as unknown as HostReport

const outcomes = ({ results }: HostReport) => Object.fromEntries(results.map(({ code, outcome }) => [code, outcome]))

test('with a commit that the gate refuses', async () => {
  const config = host()
  const report = await tell(config)
  // What runs here is none of that history.
  expect(outcomes(report)).toMatchObject({ commit: 'fail', 'receiver-authorises': 'pass' })
  expect(stored()).toEqual(report)
  expect(await heartbeat(config)).toBe('heard')
})

test('with a certificate that expired 29 days ago; with one of 31 days neither, and that is told', async () => {
  const late = await hostFiles(site.root, 'late', site.pki.authority, 'lab-07', expired(29))
  const config = host(receiver, {}, late)
  const report = await tell(config)
  expect(outcomes(report)).toMatchObject({ certificate: 'fail', 'receiver-tls': 'pass', 'receiver-authorises': 'skip' })
  expect(stored()).toEqual(report)
  expect(await heartbeat(config)).toBe('heard')

  const tooLate = host(receiver, {}, await hostFiles(site.root, 'too-late', site.pki.authority, 'lab-07', expired(31)))
  await expect(tell(tooLate)).rejects.toThrow(/^the report was not delivered: 403 The client certificate has expired/)
  expect(await heartbeat(tooLate)).toBe('certificate-expired')
  expect(stored()).toEqual(report)
})

testOnTinyDisk('with a full disk of the host', async () => {
  const disk = tinyDisk(2)
  const paths = Object.fromEntries(['episodes', 'outbox', 'state'].map((name) => [name, join(disk, name)]))
  const config = host(receiver, paths)
  for (const path of Object.values(paths)) mkdirSync(path)
  const first = await tell(config)
  fillUp(disk)
  const report = await tell(config)
  expect(report.sequence).toBe(first.sequence + 1)
  expect(report.results.find(({ code }) => code === 'disk')).toMatchObject({
    outcome: 'fail',
    remedy: expect.stringContaining('df -h'),
  })
  expect(stored()).toEqual(report)
  expect(await heartbeat(config)).toBe('heard')
})

testOnTinyDisk(
  'with a receiver that has no room for episodes; without any, the last report stays and the host hears why',
  async () => {
    const disk = tinyDisk(8)
    const full = await site.start({ stateDir: join(disk, 'state'), limits: { headroom: '7MiB' } })
    writeFileSync(join(disk, 'filler'), Buffer.alloc(2 << 20))
    const upload = await put(full, 'x', episode('x', site.head), { commit: site.head })
    expect([upload.status, problemOf(upload).code]).toEqual([507, 'store-full'])
    const config = host(full)
    const report = await tell(config)
    expect(stored(full)).toEqual(report)

    const empty = fillUp(disk)
    await expect(tell(config)).rejects.toThrow(/^the report was not delivered: 507 The store has no room/)
    expect(stored(full)).toEqual(report)
    expect(await heartbeat(config)).toBe('heard')
    empty()
    expect((await tell(config)).sequence).toBe(report.sequence + 2)
    await full.stop()
  },
)

test('report --diff says what got worse and what got well since the day before, also where nobody takes it', async () => {
  const files = await hostFiles(site.root, 'changing', site.pki.authority, 'lab-07')
  const root = scratchDir()
  const state = join(root, 'state')
  const config = join(root, 'lab-host.toml')
  mkdirSync(join(root, 'episodes'))
  const plugins = join(root, 'doctor.d')
  mkdirSync(plugins)
  writeFileSync(join(plugins, 'lamp'), '#!/bin/sh\nexit 2\n', { mode: 0o755 })
  const write = (url: string) =>
    writeFileSync(
      config,
      `[receiver]\nurl = "${url}"\nca_file = "${site.pki.caFile}"\ncert_file = "${files.certFile}"\nkey_file = "${files.keyFile}"\n` +
        `[paths]\nepisodes = "${root}/episodes"\noutbox = "${root}/outbox"\nstate = "${state}"\n[doctor]\nchecks = "${plugins}"\n`,
    )
  write(receiver.url)
  const first = await runToEnd('agent', ['report', '--diff', '--config', config])
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^no report of an earlier day.*\nreported lab-07: fail \(number 1\)\n$/),
  })
  expect(stored().changes).toBeNull()

  const [today = ''] = readdirSync(join(state, 'reports'))
  renameSync(join(state, 'reports', today), join(state, 'reports', '2026-01-01.json'))
  chmodSync(files.keyFile, 0o644)
  writeFileSync(join(plugins, 'lamp'), '#!/bin/sh\nexit 0\n')
  write('https://127.0.0.1:1')
  const second = await runToEnd('agent', ['report', '--diff', '--config', config])
  expect(second.code).toBe(3)
  expect(second.stdout).toContain('since ')
  expect(second.stdout).toMatch(/^worse {3}receiver-connects: pass -> fail: /m)
  expect(second.stdout).toMatch(/^worse {3}key-mode: pass -> warn: .*\n {8}-> sudo chmod 600 /m)
  expect(second.stdout).toMatch(/^better {2}site\/lamp: fail -> pass/m)
  // It failed the day before and is hidden now.
  expect(second.stdout).not.toMatch(/^better {2}commit/m)
  expect(second.stderr).toMatch(/^cis490-agent: the report was not delivered: /)
})

test('a report by root left a folder that the timer could not write to', async ({ skip }) => {
  const main = join(import.meta.dirname, '../../packages/agent/src/main.ts')
  if (process.getuid?.() !== 0) skip('only root can become somebody else')
  if (spawnSync('cat', [main], { uid: 65_534, gid: 65_534 }).status !== 0) skip('nobody else can read this checkout')
  const root = scratchDir()
  const state = join(root, 'state')
  const config = join(root, 'lab-host.toml')
  const paths = `[paths]\nepisodes = "${root}/episodes"\noutbox = "${root}/outbox"\nstate = "${state}"\n`
  writeFileSync(config, `[receiver]\nurl = "https://127.0.0.1:1"\n[host]\nname = "lab-07"\n${paths}`)
  for (const dir of ['episodes', 'outbox', 'state']) mkdirSync(join(root, dir))
  chmodSync(root, 0o755)
  chownSync(state, 65_534, 65_534)
  expect((await runToEnd('agent', ['report', '--config', config])).code).toBe(3)
  const [day = ''] = readdirSync(join(state, 'reports'))
  const written = ['reports', join('reports', day), 'report.json', 'disk.json']
  expect(written.map((name) => statSync(join(state, name)).uid)).toEqual(Array(4).fill(65_534))
})
