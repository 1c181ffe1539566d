/** The way to the receiver, broken at each step: the first broken link is named, and what follows from it is hidden. */
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import { join } from 'node:path'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeApp, makeClient } from '../../../packages/agent/src/app.ts'
import { gateOf } from '../../../packages/agent/src/commands/ask-gate.ts'
import { lockPath, openOutbox } from '../../../packages/agent/src/commands/context.ts'
import { beat } from '../../../packages/agent/src/commands/heartbeat.ts'
import type { AgentConfig } from '../../../packages/agent/src/config.ts'
import { commitInWindow } from '../../../packages/agent/src/doctor/checks/commit.ts'
import { type Breakage, expectBroken, runOne } from '../../support/broken.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { examined, hostConfig } from '../../support/examined.ts'
import { listening } from '../../support/listening.ts'
import { expired, foreignAuthority, hostFiles, issueFiles } from '../../support/pki.ts'
import { Site, type TestReceiver } from '../../support/receiver.ts'

const way = ['configured-files', 'certificate', 'receiver-*', 'served-certificate', 'clock', 'commit']
const day = 86_400_000

let site: Site
let receiver: TestReceiver
beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
})
afterAll(() => site[Symbol.asyncDispose]())

function host(more: Record<string, unknown> = {}): AgentConfig {
  const { caFile, host: own } = site.pki
  return hostConfig({ url: receiver.url, ca_file: caFile, cert_file: own.certFile, key_file: own.keyFile, ...more })
}

test('a host that is well passes each step', async () => {
  const results = await examined(host(), [...way, 'key-mode'])
  const outcomes = Object.fromEntries(Object.values(results).map(({ code, outcome }) => [code, outcome]))
  expect(outcomes).toMatchObject({
    'receiver-resolves': 'pass',
    'receiver-connects': 'pass',
    'receiver-tls': 'pass',
    'served-certificate': 'pass',
    'receiver-authorises': 'pass',
    certificate: 'pass',
    'key-mode': 'pass',
    clock: 'pass',
  })
  expect(results['served-certificate']?.data['perfdata']).toMatch(/^served_cert_days=\d+$/)
  // This program's own commit is none of that history.
  expect(results['commit']).toMatchObject({ outcome: 'fail', remedy: expect.stringContaining('git pull origin main && sudo ') })
})

describe('the first broken link', () => {
  const links: [string, () => Promise<AgentConfig>, Breakage][] = [
    [
      'a name that does not resolve',
      async () => host({ url: 'https://no-such-host.invalid' }),
      { breaks: 'receiver-resolves', outcome: 'fail', text: /does not resolve/, remedy: /getent hosts no-such-host.invalid/ },
    ],
    [
      'a port where nothing listens',
      async () => host({ url: 'https://127.0.0.1:1' }),
      { breaks: 'receiver-connects', outcome: 'fail', text: /ECONNREFUSED/, remedy: /systemctl status/ },
    ],
    [
      'a port that does not speak TLS',
      async () => host({ url: `https://127.0.0.1:${await listening(http.createServer())}` }),
      { breaks: 'receiver-tls', outcome: 'fail', text: /does not speak TLS/, remedy: /openssl s_client/ },
    ],
    [
      'a certificate of a CA that is not ours',
      async () => {
        const { certPem } = await foreignAuthority()
        const config = host()
        const ca = join(site.root, 'other-ca.crt')
        await writeFile(ca, certPem)
        return { ...config, receiver: { ...config.receiver, ca_file: ca } }
      },
      {
        breaks: 'receiver-tls',
        outcome: 'fail',
        text: /from a CA that is not in receiver.ca_file/,
        remedy: /receiver.ca_file must hold its CA/,
      },
    ],
    [
      'a receiver whose certificate has expired',
      async () => host({ url: `https://127.0.0.1:${await served('old-server', expired(1))}` }),
      { breaks: 'receiver-tls', outcome: 'fail', text: /has expired/, remedy: /openssl/ },
    ],
    [
      'a certificate that the receiver does not know',
      async () => {
        const { certFile, keyFile } = await hostFiles(site.root, 'stranger', await foreignAuthority(), 'lab-07')
        return host({ cert_file: certFile, key_file: keyFile })
      },
      {
        breaks: 'receiver-authorises',
        outcome: 'fail',
        text: /certificate/i,
        remedy: /^sudo systemctl start cis490-cert-fetch$/,
      },
    ],
    [
      'a certificate of our own that has expired',
      async () => {
        const { certFile, keyFile } = await hostFiles(site.root, 'over', site.pki.authority, 'lab-07', expired(2))
        return host({ cert_file: certFile, key_file: keyFile })
      },
      { breaks: 'certificate', outcome: 'fail', text: /expired on/, remedy: /fetch/ },
    ],
    [
      'a token file that is not there',
      async () => host({ token_file: '/nowhere/token' }),
      { breaks: 'configured-files', outcome: 'fail', text: /receiver.token_file/, remedy: /ls -l \/nowhere\/token/ },
    ],
  ]

  async function served(name: string, validity: { notBefore: Date; notAfter: Date }): Promise<number> {
    const issued = await issueFiles(site.root, name, site.pki.authority, {
      ...validity,
      commonName: 'localhost',
      ipAddresses: ['127.0.0.1'],
      usage: 'server',
    })
    return await listening(https.createServer({ cert: issued.certPem, key: issued.keyPem }, (_, answer) => answer.end()))
  }

  test.each(links)('%s', async (_, make, breakage) => {
    const results = await examined(await make(), way)
    const { breaks: code } = breakage
    expectBroken(results, breakage)
    const failed = Object.values(results).filter(({ outcome }) => outcome === 'fail' || outcome === 'unknown')
    expect(failed.map((result) => result.code)).toEqual([code])
    expect(results['commit']).toMatchObject({ outcome: 'skip', data: { hidden_by: code } })
  })

  test('a receiver whose certificate ends in two days is a warning for its maintainer', async () => {
    const validity = { notBefore: new Date(Date.now() - 28 * day), notAfter: new Date(Date.now() + 2 * day + 60_000) }
    const port = await served('short-server', validity)
    expectBroken(await examined(host({ url: `https://127.0.0.1:${port}` }), ['receiver-tls', 'served-certificate']), {
      breaks: 'served-certificate',
      outcome: 'warn',
      text: /expires in 2 days, 93 %/,
      remedy: /reload cis490-receiver/,
    })
  })
})

test('a wrong clock is told also where the certificate is not trusted: it may be the reason', async () => {
  const late = new Date(Date.now() - 60 * 60_000).toUTCString()
  const old = await hostFiles(site.root, 'no-server', await foreignAuthority(), 'lab-07')
  const server = https.createServer({ cert: old.certPem, key: old.keyPem }, (_, answer) => answer.setHeader('date', late).end())
  const results = await examined(host({ url: `https://127.0.0.1:${await listening(server)}` }), way)
  expect(results).toMatchObject({
    'receiver-tls': { outcome: 'fail' },
    clock: { outcome: 'fail', text: expect.stringMatching(/(1 h|59 min.*) ahead of/) as string },
  })
})

describe('commit', () => {
  const judge = async (commit: string | null, at = receiver) => {
    const config = host({ url: at.url })
    const check = commitInWindow(commit, async () => {
      await using client = makeClient(config)
      return gateOf(await client.gate(commit ?? undefined))
    })
    return await runOne(check)
  }

  test('the newest passes, the last of the window is a warning, what fell out of it a fail', async () => {
    const [newest, second, last, old] = await Promise.all(site.commits.map((commit) => judge(commit)))
    expect([newest, second, last, old].map((one) => [one?.['commit']?.outcome, one?.['commit']?.data['behind_by']])).toEqual([
      ['pass', 0],
      ['pass', 1],
      ['warn', 2],
      ['fail', undefined],
    ])
    const update = /git pull origin main && sudo .* && sudo systemctl restart/
    const soon = /2 commits behind and leaves the window of 3 soon/
    expectBroken(last ?? {}, { breaks: 'commit', outcome: 'warn', text: soon, remedy: update })
    expectBroken(old ?? {}, { breaks: 'commit', outcome: 'fail', text: /is not let in \(commit-not-in-window/, remedy: update })
  })

  test('where the gate only observes, an old commit is a warning; where it is off, nothing', async () => {
    const observing = await site.start({
      version_gate: { repo_path: site.repo.path, window: 3, refresh: '50ms', mode: 'observe' },
    })
    const off = await site.start({ version_gate: { mode: 'off' } })
    expect(await judge(site.tooOld, observing)).toMatchObject({ commit: { outcome: 'warn' } })
    expect(await judge(site.tooOld, off)).toMatchObject({ commit: { outcome: 'skip' } })
    expect(await judge(null)).toMatchObject({
      commit: { outcome: 'warn', text: expect.stringContaining('no git history') as string },
    })
  })
})

test('a certificate that was renewed on disk is a warning until the daemon has read it', async () => {
  const config = host(await copyOfHost('in-use'))
  await using stack = new AsyncDisposableStack()
  const { log } = capturedLog()
  const { outbox } = await openOutbox(config, log, stack)
  const context = { config, outbox, log, now: Date.now }
  using _lock = takeLock(lockPath(config))
  const app = stack.use(makeApp(context, process.stderr, () => undefined))
  const signal = new AbortController().signal
  const judge = () => examined(config, ['certificate-in-use'])

  expect(await judge()).toMatchObject({ 'certificate-in-use': { outcome: 'skip' } })
  expect(await beat(context, app, signal)).toBe('heard')
  expect(await judge()).toMatchObject({ 'certificate-in-use': { outcome: 'pass' } })
  await copyOfHost('in-use', { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + 90 * day) })
  expectBroken(await judge(), {
    breaks: 'certificate-in-use',
    outcome: 'warn',
    text: /^on disk is a newer one/,
    remedy: /^sudo systemctl reload cis490-orchestrator$/,
  })
  app.reload()
  expect(await beat(context, app, signal)).toBe('heard')
  expect(await judge()).toMatchObject({ 'certificate-in-use': { outcome: 'pass' } })
})

async function copyOfHost(name: string, validity = {}): Promise<{ cert_file: string; key_file: string }> {
  const { certFile, keyFile } = await hostFiles(site.root, name, site.pki.authority, site.pki.hostName, validity)
  return { cert_file: certFile, key_file: keyFile }
}
