/** The way to the receiver, broken at each step: the first broken link is named, and what follows from it is hidden. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { makeClient } from '../../../packages/agent/src/app.ts'
import { gateOf } from '../../../packages/agent/src/commands/ask-gate.ts'
import type { AgentConfig } from '../../../packages/agent/src/config.ts'
import { commitInWindow } from '../../../packages/agent/src/doctor/checks/commit.ts'
import { skew } from '../../../packages/agent/src/doctor/hello.ts'
import { examined, hostConfig } from '../../support/examined.ts'
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

/** A server that is no receiver. @returns its port */
async function listening(server: http.Server | https.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
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
  const links: [string, () => Promise<AgentConfig>, string, RegExp, RegExp][] = [
    [
      'a name that does not resolve',
      async () => host({ url: 'https://no-such-host.invalid' }),
      'receiver-resolves',
      /does not resolve/,
      /getent hosts no-such-host.invalid/,
    ],
    [
      'a port where nothing listens',
      async () => host({ url: 'https://127.0.0.1:1' }),
      'receiver-connects',
      /ECONNREFUSED/,
      /systemctl status/,
    ],
    [
      'a port that does not speak TLS',
      async () => host({ url: `https://127.0.0.1:${await listening(http.createServer())}` }),
      'receiver-tls',
      /does not speak TLS/,
      /openssl s_client/,
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
      'receiver-tls',
      /from a CA that is not in receiver.ca_file/,
      /receiver.ca_file must hold its CA/,
    ],
    [
      'a receiver whose certificate has expired',
      async () => host({ url: `https://127.0.0.1:${await served('old-server', expired(1))}` }),
      'receiver-tls',
      /has expired/,
      /openssl/,
    ],
    [
      'a certificate that the receiver does not know',
      async () => {
        const { certFile, keyFile } = await hostFiles(site.root, 'stranger', await foreignAuthority(), 'lab-07')
        return host({ cert_file: certFile, key_file: keyFile })
      },
      'receiver-authorises',
      /certificate/i,
      /./,
    ],
    [
      'a certificate of our own that has expired',
      async () => {
        const { certFile, keyFile } = await hostFiles(site.root, 'over', site.pki.authority, 'lab-07', expired(2))
        return host({ cert_file: certFile, key_file: keyFile })
      },
      'certificate',
      /expired on/,
      /fetch a new certificate/,
    ],
    [
      'a token file that is not there',
      async () => host({ token_file: '/nowhere/token' }),
      'configured-files',
      /receiver.token_file/,
      /ls -l \/nowhere\/token/,
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

  test.each(links)('%s', async (_, make, code, text, remedy) => {
    const results = await examined(await make(), way)
    expect(results[code]).toMatchObject({
      outcome: 'fail',
      text: expect.stringMatching(text) as string,
      remedy: expect.stringMatching(remedy) as string,
    })
    const failed = Object.values(results).filter(({ outcome }) => outcome === 'fail' || outcome === 'unknown')
    expect(failed.map((result) => result.code)).toEqual([code])
    expect(results['commit']).toMatchObject({ outcome: 'skip', data: { hidden_by: code } })
  })

  test('a receiver whose certificate ends in two days is a warning for its maintainer', async () => {
    const validity = { notBefore: new Date(Date.now() - 28 * day), notAfter: new Date(Date.now() + 2 * day + 60_000) }
    const port = await served('short-server', validity)
    expect(
      (await examined(host({ url: `https://127.0.0.1:${port}` }), ['receiver-tls', 'served-certificate']))['served-certificate'],
    ).toMatchObject({
      outcome: 'warn',
      text: expect.stringContaining('expires in 2 days, 93 %') as string,
      remedy: expect.stringContaining('reload cis490-receiver') as string,
    })
  })
})

describe('clock', () => {
  const judge = async (aheadMs: number) => {
    const server = http.createServer((_, answer) => answer.setHeader('date', new Date(Date.now() + aheadMs).toUTCString()).end())
    const config = hostConfig({ url: `http://127.0.0.1:${await listening(server)}` }, { host: { name: 'lab-07' } })
    return (await examined(config, ['clock']))['clock']
  }
  test.each([
    ['a few seconds are nothing', 5000, 'pass', /differ by|agree/],
    ['a minute is a warning', 60_000, 'warn', /^this clock is (1 min|59 s|1 min 1 s) behind the receiver's/],
    ['ten minutes are a fail', -600_000, 'fail', /^this clock is (10 min|9 min 59 s|9 min 58 s) ahead of the receiver's/],
  ])('%s', async (_, ahead, outcome, text) => {
    const result = await judge(ahead)
    expect(result).toMatchObject({ outcome, text: expect.stringMatching(text) as string })
    expect(result?.remedy ?? 'timedatectl').toContain('timedatectl')
  })

  test('a wrong clock is told also where it makes the certificate invalid', async () => {
    const results = await examined(host(), way, () => Date.now() + 400 * day)
    expect(results['clock']).toMatchObject({ outcome: 'fail', text: expect.stringContaining('ahead of') as string })
  })

  test.each([
    ['their second has begun within the question', 10_000, 9500, 10_200, 0],
    ['their second ended before it', 5000, 9500, 10_200, -3501],
    ['their second begins after it', 15_000, 9500, 10_200, 4800],
  ])('%s', (_, theirs, began, ended, ms) => {
    expect(skew(theirs, began, ended)).toBe(ms)
  })
})

describe('commit', () => {
  const judge = async (commit: string | null, at = receiver) => {
    const config = host({ url: at.url })
    const check = commitInWindow(commit, async () => {
      await using client = makeClient(config)
      return gateOf(await client.gate(commit ?? undefined))
    })
    return { remedy: check.remedy, ...(await check.run(new AbortController().signal)) }
  }

  test('the newest passes, the last of the window is a warning, what fell out of it a fail', async () => {
    const [newest, second, last, old] = await Promise.all(site.commits.map((commit) => judge(commit)))
    expect([newest, second, last, old].map((one) => [one?.outcome, one?.data?.['behind_by']])).toEqual([
      ['pass', 0],
      ['pass', 1],
      ['warn', 2],
      ['fail', undefined],
    ])
    expect(last?.text).toContain('2 commits behind and leaves the window of 3 soon')
    expect(old).toMatchObject({
      remedy: expect.stringMatching(/git pull origin main && sudo .* && sudo systemctl restart/) as string,
    })
  })

  test('where the gate only observes, an old commit is a warning; where it is off, nothing', async () => {
    const observing = await site.start({
      version_gate: { repo_path: site.repo.path, window: 3, refresh: '50ms', mode: 'observe' },
    })
    const off = await site.start({ version_gate: { mode: 'off' } })
    expect(await judge(site.tooOld, observing)).toMatchObject({ outcome: 'warn' })
    expect(await judge(site.tooOld, off)).toMatchObject({ outcome: 'skip' })
    expect(await judge(null)).toMatchObject({ outcome: 'warn', text: expect.stringContaining('no git history') as string })
  })
})
