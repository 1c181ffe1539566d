/** Real agent, real receiver, real TLS: what a host's operator sees. */
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { gateRemediation } from '@cis490/shared/remediation.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Lab } from '../support/lab.ts'
import { NarrowPipe } from '../support/narrow-pipe.ts'

const stale = '0123456789012345678901234567890123456789'
const mib = 1 << 20

let lab: Lab
beforeEach(async () => {
  lab = await Lab.make()
})
afterEach(async () => {
  await lab[Symbol.asyncDispose]()
})

async function gateHead(): Promise<string> {
  return JSON.parse((await lab.agent('status', '--json')).stdout).gate.answer.head
}

describe('ship', () => {
  test('an episode arrives, and here only its receipt stays', async () => {
    await lab.startReceiver()
    const head = lab.repo.log()[0] as string
    await lab.record('ep-1', head)
    const { code, stdout } = await lab.agent('ship', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ delivered: 1, ready: 0, gated: 0, quarantine: 0 })
    expect(await lab.outbox()).toEqual([])
    expect(await lab.episodes()).toEqual([])
    const [row] = await lab.index()
    expect(row).toMatchObject({ id: 'ep-1', host: lab.pki.hostName, commit: head, gate_position: 1, seq: 1 })
    const receipt = JSON.parse(await readFile(lab.path('state', 'receipts.jsonl'), 'utf8')) as { sha256: string }
    expect(receipt.sha256).toBe(row?.['sha256'])
  })

  test('a stale episode is kept, the lines to paste are shown once, and others pass it by', async () => {
    await lab.startReceiver()
    for (const id of ['old-1', 'old-2']) await lab.record(id, stale)
    await lab.record('new-1', lab.repo.log()[0])
    // Packed already, as before a commit left the window: the upload itself is refused.
    await lab.agent('scan')
    const { code, stderr } = await lab.agent('ship')
    expect(code).toBe(1)
    const lines = stderr.split('\n')
    for (const line of gateRemediation().split('\n')) expect(lines.filter((one) => one === line)).toEqual([line])
    expect((await lab.index()).map((row) => row['id'])).toEqual(['new-1'])
    expect((await lab.rejects()).map((row) => [row['status'], row['code']])).toEqual([
      [412, 'commit-not-in-window'],
      [412, 'commit-not-in-window'],
    ])
    const listed = JSON.parse((await lab.agent('outbox', 'list', '--json')).stdout) as { entries: object[] }
    expect(listed.entries).toMatchObject([
      { id: 'old-1', lane: 'gated', last: { status: 412, code: 'commit-not-in-window' } },
      { id: 'old-2', lane: 'gated' },
    ])
  })

  test('a commit that the gate refuses is not sent at all', async () => {
    await lab.startReceiver()
    await lab.record('old', stale)
    const { code, stderr } = await lab.agent('ship')
    expect(code).toBe(1)
    expect(stderr).toContain(gateRemediation())
    expect(await lab.rejects()).toEqual([])
  })

  test('the gated lane goes when its commit comes into the window', async () => {
    await lab.startReceiver('window = 1\n')
    const first = lab.repo.log()[0] as string
    lab.repo.commit()
    const second = lab.repo.log()[0] as string
    await expect.poll(gateHead, { timeout: 30_000 }).toBe(second)
    await lab.record('early', first)
    expect((await lab.agent('ship')).code).toBe(1)
    lab.repo.run('update-ref', 'refs/heads/main', first)
    await expect.poll(gateHead, { timeout: 30_000 }).toBe(first)
    expect((await lab.agent('ship')).code).toBe(0)
    expect((await lab.index()).map((row) => row['id'])).toEqual(['early'])
  })

  test('without a receiver everything stays and the exit code says: later', async () => {
    await lab.configureAgent('https://127.0.0.1:1')
    await lab.record('ep-1', stale)
    const { code, stderr } = await lab.agent('ship')
    expect(code).toBe(3)
    expect(stderr).toContain('nothing listens there')
    expect(await lab.outbox()).toEqual(['ep-1.json', 'ep-1.tar.zst'])
    expect(await lab.episodes()).toEqual(['ep-1'])
  })

  test('a certificate that is not there is one line and exit 78', async () => {
    await lab.configureAgent('https://127.0.0.1:1')
    const text = await readFile(lab.agentConfig, 'utf8')
    await writeFile(lab.agentConfig, text.replace('host.crt', 'none.crt'))
    const { code, stderr } = await lab.agent('ship')
    expect(code).toBe(78)
    expect(stderr).toMatch(/receiver\.cert_file: cannot read .*none\.crt/)
    expect(stderr).not.toContain('    at ')
  })
})

describe('run', () => {
  test('killed in the middle of a transfer, the next start delivers it once', async () => {
    const url = await lab.startReceiver()
    await using pipe = await NarrowPipe.open(url, 4 * mib)
    await lab.configureAgent(pipe.url)
    await lab.record('big', lab.repo.log()[0], randomBytes(16 * mib))
    await using first = lab.startAgent()
    await pipe.full
    first.kill('SIGKILL')
    await first.ended
    expect(await lab.index()).toEqual([])
    pipe.widen()
    await using second = lab.startAgent()
    await second.line({ event: 'delivered', id: 'big' })
    second.kill('SIGTERM')
    expect((await second.ended).code).toBe(0)
    expect((await lab.index()).map((row) => row['id'])).toEqual(['big'])
    expect(await lab.outbox()).toEqual([])
  })

  test('ended in the middle of a transfer it is gone within 2 s, and the entry stays as it was', async () => {
    const url = await lab.startReceiver()
    await using pipe = await NarrowPipe.open(url, 4 * mib)
    await lab.configureAgent(pipe.url)
    await lab.record('big', lab.repo.log()[0], randomBytes(16 * mib))
    await using agent = lab.startAgent()
    await pipe.full
    const asked = performance.now()
    agent.kill('SIGINT')
    const { code } = await agent.ended
    expect(code).toBe(0)
    expect(performance.now() - asked).toBeLessThan(2000)
    const listed = JSON.parse((await lab.agent('outbox', 'list', '--json')).stdout) as { entries: object[] }
    expect(listed.entries).toMatchObject([{ id: 'big', lane: 'ready', attempts: 0 }])
  })

  test('an episode that is finished while it runs is found and shipped', async () => {
    await lab.startReceiver()
    await using agent = lab.startAgent()
    await agent.line({ event: 'up' })
    await lab.record('fresh', lab.repo.log()[0])
    await agent.line({ event: 'delivered', id: 'fresh' })
    expect((await lab.agent('ship')).code).toBe(3)
    agent.kill('SIGTERM')
    expect((await agent.ended).code).toBe(0)
    expect((await lab.index()).map((row) => row['id'])).toEqual(['fresh'])
  })

  test('SIGHUP with a certificate that cannot be used keeps the old one', async () => {
    await lab.startReceiver()
    await using agent = lab.startAgent()
    await agent.line({ event: 'up' })
    await writeFile(lab.pki.host.certFile, 'no certificate')
    agent.kill('SIGHUP')
    await agent.line({ event: 'reload-failed' })
    await lab.record('still', lab.repo.log()[0])
    await agent.line({ event: 'delivered', id: 'still' })
  })
})

describe('report', () => {
  test('the doctor of a host with old code reaches the receiver', async () => {
    await lab.startReceiver()
    await lab.record('old', stale)
    await lab.agent('ship')
    expect((await lab.agent('report')).code).toBe(0)
    expect((await lab.agent('report')).code).toBe(0)
    const stored = JSON.parse(await readFile(lab.path('store', 'host-health', `${lab.pki.hostName}.json`), 'utf8'))
    expect(stored).toMatchObject({ schema_version: 1, host: lab.pki.hostName, sequence: 2, outcome: 'fail' })
    const result = (code: string) => stored.results.find((one: { code: string }) => one.code === code)
    expect(result('outbox')).toMatchObject({ outcome: 'warn' })
    // The code that runs here is no commit of that history.
    expect(result('commit')).toMatchObject({ outcome: 'fail', remedy: expect.stringContaining('git pull') })
    expect(JSON.parse(await readFile(lab.path('state', 'disk.json'), 'utf8')).samples).toHaveLength(2)
  })
})
