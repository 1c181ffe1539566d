/** Certificates of seconds in the bounded form of the harness: the same programs and checks as in ten minutes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, it, test } from 'vitest'
import { parseOptions } from '../../scripts/certs/options.ts'
import type { CertsResult } from '../../scripts/certs/result.ts'
import { type Seen, summarize } from '../../scripts/certs/summary.ts'
import { scratchDir } from '../support/scratch.ts'

const main = fileURLToPath(new URL('../../scripts/certs/main.ts', import.meta.url))

/** Between the two thirds at which they are renewed and their end lie 5 s: what a busy machine needs. */
it('while certificates of 15 s are renewed on both ends, nothing that is shipped fails', async () => {
  const dir = scratchDir()
  const file = join(dir, 'certs.json')
  const args = ['--minutes', '0.25', '--lifetime', '15s', '--hosts', '1', '--json', file, '--dir', dir]
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  expect(code, out + err).toBe(0)
  const result = JSON.parse(await readFile(file, 'utf8')) as CertsResult
  expect(result.failures).toEqual([])
  expect(result.transfers.small).toBeGreaterThan(3)
  expect(result.transfers.large).toBeGreaterThan(0)
  expect(result.renewals.hosts).toBeGreaterThan(0)
  expect(result.renewals.receiver).toBeGreaterThan(1)
}, 120_000)

const time = (second: number) => new Date(1_790_000_000_000 + second * 1000).toISOString()

function seen(changed: Partial<Seen> = {}): Seen {
  const renewed = { level: 'info', time: time(5), event: 'certificate-renewed' }
  const delivered = { level: 'info', time: time(9), event: 'delivered', id: 'big' }
  return {
    agents: { 'lab-01': [renewed, delivered] },
    receiver: [1, 2].map((second) => ({ level: 'info', time: time(second), event: 'server-certificate' })),
    index: ['big', 'small'].map((id) => ({ id, host: 'lab-01', cert_fingerprint: id })),
    rejects: [],
    recorded: ['big', 'small'],
    begun: new Map([['big', Date.parse(time(3))]]),
    complaints: [],
    ...changed,
  }
}

test('what went well counts, and nothing is found', () => {
  expect(summarize(seen())).toEqual({
    transfers: { small: 1, large: 1, across: 1, resumed: 0 },
    renewals: { hosts: 1, receiver: 2, certificates: 2 },
    failures: [],
  })
})

test.each([
  ['a warning of an agent', { agents: { 'lab-01': [{ level: 'warn', event: 'later' }] } }, /lab-01: .*later/],
  ['an error of the receiver', { receiver: [{ level: 'error', event: 'x' }] }, /receiver: .*"x"/],
  ['a refused upload', { rejects: [{ code: 'certificate-expired' }] }, /refused: .*certificate-expired/],
  ['an episode that is stored twice', { index: ['big', 'small', 'small'].map((id) => ({ id })) }, /small is stored 2 times/],
  ['an episode that did not arrive', { index: [{ id: 'big' }] }, /small is stored 0 times/],
  ['a receiver that never renewed', { receiver: [] }, /did not renew its own/],
  ['hosts that never renewed', { agents: {} }, /no host renewed/],
  ['a program that ended by itself', { complaints: ['the receiver ended with 1'] }, /ended with 1/],
])('%s is found', (_, changed, words) => {
  expect(summarize(seen(changed)).failures.join('\n')).toMatch(words)
})

test.each([
  [['--minutes', 'many'], /--minutes "many"/],
  [['--lifetime', '1s'], /--lifetime "1s"/],
  [['--lifetime', '3s'], /10 certificates a minute/],
  [['--hosts', '4'], /--hosts "4"/],
  [['--minuts', '3'], /Unknown option/],
])('%s is a usage error', (args, message) => {
  expect(() => parseOptions(args)).toThrow(message)
})
