/** A signing receiver and an agent as real processes: first use, rotation, a receiver that has lost its key. */
import { readFile } from 'node:fs/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { Lab } from '../support/lab.ts'
import { runToEnd } from '../support/program.ts'

// Many processes one after the other.
vi.setConfig({ testTimeout: 180_000 })
const labs: Lab[] = []
afterEach(async () => {
  for (const lab of labs.splice(0)) await lab[Symbol.asyncDispose]()
})

async function pinned(lab: Lab): Promise<string[]> {
  const { keys } = JSON.parse(await readFile(lab.path('state', 'receipt-keys.json'), 'utf8')) as {
    keys: { id: string; how: string }[]
  }
  return keys.map(({ how }) => how)
}

async function ship(lab: Lab, id: string): Promise<number | null> {
  await lab.record(id, lab.repo.log()[0])
  return (await lab.agent('ship')).code
}

test('a host believes the first key and what it vouches for, and deletes nothing for a receiver that has lost it', async () => {
  const lab = await Lab.make()
  labs.push(lab)
  const signing = `[receipts]\nkey_file = "${lab.path('receipt.key')}"\n`
  const made = await runToEnd('receiver', ['receipt-key', 'create', '--out', lab.path('receipt.key')])
  expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^key [0-9a-f]{16} in /)])
  const { program } = await lab.startReceiverProgram(signing)

  expect(await ship(lab, 'ep-1')).toBe(0)
  expect(await pinned(lab)).toEqual(['first-use'])

  const rotated = await runToEnd('receiver', ['receipt-key', 'create', '--rotate', '--config', lab.path('receiver.toml')])
  expect(rotated.code).toBe(0)
  program.kill('SIGHUP')
  await program.line({ event: 'reloaded' })
  expect(await ship(lab, 'ep-2')).toBe(0)
  expect(await pinned(lab)).toEqual(['first-use', 'vouched'])
  program.kill('SIGINT')
  await program.ended

  const { program: bare } = await lab.startReceiverProgram()
  expect(await ship(lab, 'ep-3')).toBe(3)
  expect([await lab.outbox(), await lab.episodes()]).toEqual([['ep-3.json', 'ep-3.tar.zst'], ['ep-3']])
  expect(JSON.parse(await readFile(lab.path('outbox', 'ep-3.json'), 'utf8'))).toMatchObject({
    lane: 'ready',
    last: { code: 'receipt-unsigned' },
  })
  expect((await lab.index()).map(({ id }) => id)).toEqual(['ep-1', 'ep-2', 'ep-3'])
  bare.kill('SIGINT')
  await bare.ended

  await lab.startReceiverProgram(signing)
  expect((await lab.agent('ship')).code).toBe(0)
  expect([await lab.outbox(), await lab.episodes()]).toEqual([[], []])
  expect(await lab.index()).toHaveLength(3)
})
