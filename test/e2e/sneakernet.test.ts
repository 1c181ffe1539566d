import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'
import { Lab } from '../support/lab.ts'
import { type Finished, type Program, runToEnd } from '../support/program.ts'

// Many processes one after the other.
vi.setConfig({ testTimeout: 180_000 })
const exec = promisify(execFile)
const labs: Lab[] = []
afterEach(async () => {
  for (const lab of labs.splice(0)) await lab[Symbol.asyncDispose]()
})

interface Bed {
  readonly lab: Lab
  readonly stick: string
  readonly receiver: Program
}

/** A receiver that signs, an agent that cannot reach it, and three finished episodes in its outbox. */
async function bed(episodes = ['ep-1', 'ep-2', 'Ep-1'], running = true): Promise<Bed> {
  const lab = await Lab.make()
  labs.push(lab)
  const key = lab.path('receipt.key')
  await exec('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', key])
  await exec('chmod', ['600', key])
  const { program } = await lab.startReceiverProgram(`[receipts]\nkey_file = "${key}"\n`)
  await lab.configureAgent('https://127.0.0.1:1')
  const stick = lab.path('stick')
  await mkdir(stick)
  for (const id of episodes) await lab.record(id, lab.repo.log()[0], `telemetry of ${id}\n`.repeat(1000))
  expect((await lab.agent('scan')).code).toBe(0)
  if (!running) {
    program.kill('SIGTERM')
    await program.ended
  }
  return { lab, stick, receiver: program }
}

function receiver(lab: Lab, ...args: string[]): Promise<Finished> {
  return runToEnd('receiver', [...args, '--config', lab.path('receiver.toml')])
}

interface Imported {
  readonly hosts: { host: string; stored: number; already: number; refused: Record<string, string>[]; missing: string[] }[]
  readonly refused_exports: { folder: string; fault: string }[]
}

function imported(run: Finished): Imported {
  return JSON.parse(run.stdout) as Imported
}

test.each([
  ['through the running receiver', true],
  ['without one', false],
])('episodes go by stick %s, and the receipts come back', async (_, running) => {
  const { lab, stick } = await bed(undefined, running)
  const made = await lab.agent('export', stick, '--json')
  expect({ code: made.code, stderr: made.stderr.split('\n').filter((line) => line.startsWith('cis490')) }).toEqual({
    code: 0,
    stderr: [],
  })
  expect(await lab.outbox()).toHaveLength(6)
  const first = await receiver(lab, 'import', stick, '--json')
  expect(first.stderr).not.toMatch(/rror/)
  expect(imported(first).hosts).toMatchObject([{ host: 'lab-07', stored: 3, already: 0, refused: [], missing: [] }])
  expect(first.code).toBe(0)
  const rows = await lab.index()
  expect(rows.map(({ id }) => id).sort()).toEqual(['Ep-1', 'ep-1', 'ep-2'])
  expect(rows.every(({ host, cert_fingerprint }) => host === 'lab-07' && typeof cert_fingerprint === 'string')).toBe(true)

  const blind = await lab.agent('import-receipts', stick, '--json')
  expect(blind.code).toBe(1)
  expect(await lab.outbox()).toHaveLength(6)

  const shown = await receiver(lab, 'receipt-key', 'show')
  await writeFile(lab.path('keys.pem'), shown.stdout)
  const toml = await readFile(lab.agentConfig, 'utf8')
  await writeFile(lab.agentConfig, toml.replace('[paths]', `receipt_keys_file = "${lab.path('keys.pem')}"\n[paths]`))
  const settled = await lab.agent('import-receipts', stick, '--json')
  expect({ code: settled.code, stderr: settled.stderr.match(/rror.*/g) }).toEqual({ code: 0, stderr: null })
  expect(JSON.parse(settled.stdout)).toMatchObject({ delivered: ['Ep-1', 'ep-1', 'ep-2'], refused: [] })
  expect(await lab.outbox()).toEqual([])
  expect(await lab.episodes()).toEqual([])
  expect((await lab.agent('verify', 'ep-2')).stdout).toContain('valid')
})

test('what cannot come in is told in words with what mends it, and the rest comes in', async () => {
  const { lab, stick } = await bed(['ep-1'])
  await lab.record('ep-old', '0123456789abcdef0123456789abcdef01234567')
  expect((await lab.agent('scan')).code).toBe(0)
  expect((await lab.agent('export', stick)).code).toBe(0)
  await mkdir(`${stick}/lab-08`)
  await writeFile(`${stick}/lab-08/manifest.jsonl`, '{}\n{}\n')
  const run = await receiver(lab, 'import', stick)
  expect(run.code).toBe(1)
  expect(run.stdout).toContain('refused lab-08: the manifest cannot be read')
  expect(run.stdout).toContain('refused lab-07/ep-old: commit-not-in-window')
  expect(run.stdout).toMatch(/to mend it on lab-07:\n +cd \/opt\/cis490 && .*git pull/)
  expect(run.stdout).toContain('lab-07: 1 stored, 0 were stored before, 1 not stored')
  expect(await lab.rejects()).toMatchObject([{ host: 'lab-07', id: 'ep-old', code: 'commit-not-in-window' }])
  const none = await receiver(lab, 'import', stick, '--host', 'lab-09')
  expect([none.code, none.stderr]).toEqual([3, expect.stringContaining('no export of lab-09 lies in')])
})
