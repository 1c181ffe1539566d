import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CheckResult } from '@cis490/shared/check.ts'
import { problem } from '@cis490/shared/problems.ts'
import type { HostReport } from '@cis490/shared/report.ts'
import { beforeAll, describe, expect, test } from 'vitest'
import { describe as describeCheck, nagiosLine } from '../../../packages/agent/src/commands/doctor-output.ts'
import type { Answer } from '../../../packages/agent/src/core/answer.ts'
import type { Check, Finding } from '../../../packages/agent/src/doctor/check.ts'
import { certificate, keyMode } from '../../../packages/agent/src/doctor/checks/certificate.ts'
import { disk, judgeRoom, type RoomSummary } from '../../../packages/agent/src/doctor/checks/disk.ts'
import { type OutboxSummary, outboxCheck } from '../../../packages/agent/src/doctor/checks/outbox.ts'
import { receiverAuthorises } from '../../../packages/agent/src/doctor/checks/receiver-authorises.ts'
import { runChecks } from '../../../packages/agent/src/doctor/run-checks.ts'
import { expectBroken, runOne } from '../../support/broken.ts'
import { expired, hostFiles, makePki, type Pki } from '../../support/pki.ts'

const day = 86_400_000
const signal = new AbortController().signal

describe('runChecks', () => {
  const check = (code: string, run: Check['run'], more: Partial<Check> = {}): Check => ({
    ...{ code, title: code, severity: 'critical', timeout: 5000, depends_on: [], remedy: 'mend it', run },
    ...more,
  })
  const finding = (outcome: Finding['outcome']) => async () => ({ outcome, text: outcome })

  test('what follows from a failed check is skipped, in whatever order they stand', async () => {
    const results = await runChecks([check('leaf', finding('fail'), { depends_on: ['root'] }), check('root', finding('fail'))])
    expect(results.map(({ code, outcome }) => [code, outcome])).toEqual([
      ['leaf', 'skip'],
      ['root', 'fail'],
    ])
    expect(results[0]).not.toHaveProperty('remedy')
    expect(results[1]).toMatchObject({ remedy: 'mend it' })
  })

  test('a chain shows its first broken link alone', async () => {
    const results = await runChecks([
      check('name', finding('fail')),
      check('port', finding('fail'), { depends_on: ['name'] }),
      check('lock', finding('fail'), { depends_on: ['port'] }),
    ])
    expect(results.map(({ outcome, data }) => [outcome, data['hidden_by']])).toEqual([
      ['fail', undefined],
      ['skip', 'name'],
      ['skip', 'name'],
    ])
  })

  test('a check that does not apply hides nothing', async () => {
    const results = await runChecks([check('root', finding('skip')), check('leaf', finding('warn'), { depends_on: ['root'] })])
    expect(results[1]?.outcome).toBe('warn')
  })

  test('a check that throws or takes too long is unknown, never a pass', async () => {
    const results = await runChecks([
      check('throws', () => Promise.reject(new Error('no permission'))),
      check('hangs', () => new Promise(() => undefined), { timeout: 10 }),
    ])
    expect(results.map(({ outcome, text }) => [outcome, text])).toEqual([
      ['unknown', 'could not find out: no permission'],
      ['unknown', 'no result within 0.01 s'],
    ])
  })
})

describe('certificate', () => {
  let pki: Pki
  let dir: string
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'cis490-doctor-'))
    pki = await makePki(dir)
    return () => rmSync(dir, { recursive: true })
  })
  const judge = (files: { cert_file?: string; key_file?: string } = {}, now = Date.now()) =>
    certificate({ cert_file: pki.host.certFile, key_file: pki.host.keyFile, ...files, now: () => now }).run(signal)

  test('a fresh pair passes and says how long', async () => {
    expect(await judge()).toMatchObject({ outcome: 'pass', data: { days_left: 29 } })
  })

  test('in its last week it is a warning', async () => {
    const soon = { notBefore: new Date(Date.now() - 25 * day), notAfter: new Date(Date.now() + 4 * day + 60_000) }
    const { certFile: cert_file, keyFile: key_file } = await hostFiles(dir, 'soon', pki.authority, 'lab-07', soon)
    expectBroken(await runOne(certificate({ cert_file, key_file, now: Date.now })), {
      breaks: 'certificate',
      outcome: 'warn',
      text: /^the certificate expires in 4 days/,
      remedy: /fetch/,
    })
  })

  test('expired, missing, not a certificate, of another key: each is a fail with its own words', async () => {
    const old = await hostFiles(dir, 'old', pki.authority, 'lab-07', expired(3))
    writeFileSync(join(dir, 'junk'), 'junk')
    const sentences = await Promise.all([
      judge({ cert_file: old.certFile, key_file: old.keyFile }),
      judge({ cert_file: join(dir, 'none') }),
      judge({ cert_file: join(dir, 'junk') }),
      judge({ key_file: pki.server.keyFile }),
      judge({ key_file: '' }),
    ])
    expect(sentences.map(({ outcome }) => outcome)).toEqual(Array(5).fill('fail'))
    expect(sentences.map(({ text }) => text)).toEqual([
      expect.stringContaining('expired on'),
      expect.stringContaining('cannot read the certificate'),
      expect.stringContaining('is no PEM certificate'),
      expect.stringContaining('does not belong to'),
      expect.stringContaining('go together'),
    ])
  })

  test('a key that everybody can read is a warning with the command', async () => {
    const open = await hostFiles(dir, 'open', pki.authority, 'lab-07')
    chmodSync(open.keyFile, 0o644)
    const check = keyMode({ key_file: open.keyFile })
    expectBroken(await runOne(check), {
      breaks: 'key-mode',
      outcome: 'warn',
      text: /mode 644/,
      remedy: /^sudo chmod 600 \S+open.key$/,
    })
    chmodSync(open.keyFile, 0o640)
    expect(await check.run(signal)).toMatchObject({ outcome: 'pass' })
  })

  test('without certificates there is nothing to check', async () => {
    expect(await judge({ cert_file: '', key_file: '' })).toMatchObject({ outcome: 'skip' })
  })
})

describe('disk', () => {
  test.each([
    ['half free is well', 50, 0, 'pass'],
    ['under a tenth is a warning', 9.9, 0, 'warn'],
    ['under a fiftieth is a fail', 1.9, 0, 'fail'],
    ['under the reserve is a fail, however small its part', 50, 51, 'fail'],
  ])('%s', (_, free, reserve, outcome) => {
    expect(judgeRoom(free, 100, reserve, '/x').outcome).toBe(outcome)
  })
})

describe('room', () => {
  const room: RoomSummary = {
    used_bytes: 50,
    quota_bytes: 100,
    policy: 'stop-packing',
    second_copies: { count: 1, bytes: 10 },
    reserve: [],
    stopped: null,
  }
  const judge = (more: Partial<RoomSummary>) =>
    disk({ folders: ['/'], reserve: 0, room: async () => ({ ...room, ...more }) }).run(signal)

  test('the quota and the second copies are told', async () => {
    expect(await judge({})).toMatchObject({
      text: expect.stringContaining('quota 50 B of 100 B (stop-packing), second copies 10 B'),
      data: { used_bytes: 50, second_copies: { count: 1 } },
    })
  })
  test('the reserve of one disk counted as free on another', async () => {
    const bytes = 2 ** 60
    const here = await judge({ reserve: [{ path: '/', bytes, wanted: bytes }] })
    const elsewhere = await judge({ reserve: [{ path: '/proc/version', bytes, wanted: bytes }] })
    expect([here.text, elsewhere.text].map((text) => /^1048576(\.\d+)? TiB|^\d{7}|^1(\.\d+)? EiB/.test(text))).toEqual([
      true,
      false,
    ])
  })
  test('packing that had to stop is a fail that names the first episode and the cure', async () => {
    expect(await judge({ stopped: { reason: 'quota', first: 'ep-3', count: 2 } })).toMatchObject({
      outcome: 'fail',
      text: expect.stringContaining('2 finished episodes are not packed, first ep-3'),
      remedy: expect.stringContaining('quota.bytes'),
    })
  })
})

describe('outbox', () => {
  const none = { count: 0, bytes: 0 }
  const some = { count: 2, bytes: 10 }
  const summary = (more: Partial<OutboxSummary['lanes']>, stuck: OutboxSummary['stuck'] = [], unstamped = 0): OutboxSummary => ({
    lanes: { ready: none, gated: none, quarantine: none, ...more },
    oldest_age_s: 60,
    unstamped,
    stuck,
    tombstones: { count: 0, last: [] },
  })
  test.each([
    ['empty is well', summary({}), 'pass', 'empty'],
    ['what is ready goes by itself', summary({ ready: some }), 'pass', '2 ready'],
    ['gated episodes wait for an update', summary({ gated: some }), 'warn', 'gated lane'],
    [
      'an update does not help those without a full hash',
      summary({ gated: some }, [], 2),
      'warn',
      '2 episodes on the gated lane without a full commit hash',
    ],
    ['quarantine comes before gated', summary({ gated: some, quarantine: some }), 'warn', 'refused for good'],
    [
      'all that is wrong is told, a broken meta.json too',
      summary({ quarantine: { count: 1, bytes: 5 } }, [{ id: 'ep-9', reason: 'meta.json is not a JSON object' }]),
      'warn',
      '1 episode refused for good; episode-stuck: 1 episode that will not finish, first ep-9 (meta.json is not a JSON object)',
    ],
    ['an episode that never finishes is told', summary({}, [{ id: 'ep-9', reason: 'old' }]), 'warn', 'episode-stuck'],
  ])('%s', async (_, value, outcome, text) => {
    expect(await outboxCheck(async () => value).run(signal)).toMatchObject({ outcome, text: expect.stringContaining(text) })
  })

  test('each trouble has its own remedy: stuck folders are not in the outbox', async () => {
    const { remedy } = await outboxCheck(async () => summary({ quarantine: some }, [{ id: 'ep-9', reason: 'old' }])).run(signal)
    expect(remedy).toMatch(/stop the daemon.*release or drop.*; touch meta.json/)
  })

  test('a report on ten thousand stuck episodes was more than the receiver takes', async () => {
    const many = Array.from({ length: 10_000 }, (_, k) => ({
      id: `episode-${k}`,
      reason: 'meta.json is older than telemetry.csv',
    }))
    const finding = await outboxCheck(async () => summary({}, many)).run(signal)
    expect(finding.text).toContain('10000 episodes that will not finish')
    expect(finding.data).toMatchObject({ stuck_count: 10_000 })
    expect(JSON.stringify(finding).length).toBeLessThan(8 * 1024)
  })

  test('an outbox that cannot be read is a fail', async () => {
    expect(await outboxCheck(() => Promise.reject(new Error('EACCES'))).run(signal)).toMatchObject({ outcome: 'fail' })
  })
})

test('what the receiver says cannot move the cursor or forge a line', async () => {
  const refusal = { problem: problem('certificate-expired', 'gone\u001b[2J\u009b1m\nforged\u007f') }
  const answer: Answer = { kind: 'answer', status: 403, body: '', headers: {}, ...refusal }
  const finding = await receiverAuthorises({ url: 'https://receiver.lab', ask: async () => answer }).run(signal)
  expect(finding).toMatchObject({ outcome: 'fail', text: expect.stringMatching(/: gone\[2J1mforged$/) })
})

test('what is printed of a check holds no control character of others', () => {
  const result = {
    code: 'x',
    title: 'X',
    outcome: 'fail',
    text: 'a\u001b[2J',
    remedy: 'b\u009b\nc',
    data: {},
  } as unknown as CheckResult
  // biome-ignore lint/suspicious/noControlCharactersInRegex: only the colours of our own may be there
  expect(describeCheck(result).map((line) => line.replace(/\u001b\[\d+m/g, ''))).toEqual(['fail    X: a[2J', '        -> bc'])
  expect(nagiosLine({ outcome: 'fail', results: [result] } as unknown as HostReport)).toBe(
    'CRITICAL - x: a[2J | fail=1 unknown=0 warn=0',
  )
})
