/** Large archives over a way that breaks, between real programs: what has arrived is not sent again. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { measureCuts } from '../../scripts/soak/cuts.ts'
import { ChaosProxy } from '../support/chaos-proxy.ts'
import { Lab } from '../support/lab.ts'
import type { Program } from '../support/program.ts'

const mib = 1024 * 1024
/** One part of 32 MiB is answered, and the second is on its way. */
const size = 40 * mib
const middle = 36 * mib

test('an archive whose connection is cut 20 times arrives once, and little of it twice', { timeout: 240_000 }, async () => {
  const bytes = 33 * mib
  const result = await measureCuts({ bytes, cuts: 20, seed: 20 })
  expect(result).toMatchObject({ cuts: 20, rows: 1 })
  // As 1.05 GiB for 1 GiB: a cut may cost what was on its way, and no more.
  expect(result.arrived - result.bytes).toBeLessThan(20 * 2.5 * mib)
})

let lab: Lab
let proxy: ChaosProxy
beforeEach(async () => {
  lab = await Lab.make()
  proxy = await ChaosProxy.open(await lab.startReceiver(), () => ({
    faults: [{ do: 'stall', on: 'up', after: middle, side: 'up' }],
  }))
  await lab.configureAgent(proxy.url)
  await lab.record('large', lab.repo.log()[0], randomBytes(size))
})
afterEach(async () => {
  await proxy[Symbol.asyncDispose]()
  await lab[Symbol.asyncDispose]()
})

/** An agent in the middle of the second part. */
async function stalled(): Promise<Program> {
  const agent = lab.startAgent()
  await expect.poll(() => proxy.done.stall, { timeout: 120_000 }).toBe(1)
  return agent
}

async function delivered(agent: Program): Promise<void> {
  await agent.line({ event: 'delivered', id: 'large' })
  expect(await lab.index()).toMatchObject([{ id: 'large', seq: 1 }])
  const receipts = (await readFile(lab.path('state', 'receipts.jsonl'), 'utf8')).trimEnd().split('\n')
  expect(receipts.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual(['large'])
}

test('an agent that is killed in the middle of an upload goes on where it was', { timeout: 240_000 }, async () => {
  const first = await stalled()
  first.kill('SIGKILL')
  await first.ended
  const shown = JSON.parse((await lab.agent('outbox', 'show', 'large', '--json')).stdout) as Record<string, unknown>
  expect(shown).toMatchObject({ lane: 'ready', upload_offset: 32 * mib })
  expect((await lab.agent('status')).stdout).toContain('upload stopped large: 32.0 MiB of 40.0 MiB arrived')
  proxy.plan = () => ({})
  proxy.resetAll()
  await using second = lab.startAgent()
  const { offset } = await second.line({ event: 'resumed', id: 'large' })
  expect(Number(offset)).toBeGreaterThanOrEqual(32 * mib)
  await delivered(second)
  expect(proxy.carried.up).toBeLessThan(size + 8 * mib)
})

test('a receiver that is killed in the middle of an upload goes on where it was', { timeout: 240_000 }, async () => {
  await using agent = await stalled()
  await lab.killReceiver()
  proxy.plan = () => ({})
  proxy.aimAt(await lab.startReceiver())
  await lab.configureAgent(proxy.url)
  proxy.resetAll()
  const { offset } = await agent.line({ event: 'resumed', id: 'large' })
  expect(Number(offset)).toBeGreaterThanOrEqual(32 * mib)
  await delivered(agent)
  expect(proxy.carried.up).toBeLessThan(size + 8 * mib)
})
