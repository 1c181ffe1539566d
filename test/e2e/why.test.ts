/** One episode's life, asked about from its host at every turn: refused by the gate, waived, delivered, marked as bad, taken out. */
import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Lab } from '../support/lab.ts'
import { runToEnd } from '../support/program.ts'

interface Why {
  readonly state: string
  readonly events: { readonly side: string; readonly what: string; readonly at: string; readonly text: string }[]
  readonly receiver: { readonly reached: boolean; readonly state?: string } | null
  readonly next: string
}

let lab: Lab
beforeAll(async () => {
  lab = await Lab.make()
})
afterAll(() => lab[Symbol.asyncDispose]())

async function why(): Promise<Why> {
  const run = await lab.agent('why', 'run-1', '--json')
  expect([run.code, run.stderr]).toEqual([0, ''])
  return JSON.parse(run.stdout) as Why
}
const whats = ({ events }: Why) => events.map(({ side, what }) => `${side} ${what}`)
const receiver = (command: string, ...args: string[]) =>
  runToEnd('receiver', [command, ...args, '--config', lab.path('receiver.toml')])

test('both sides are told in the order of time, and the last sentence is right at every turn', async () => {
  const waivers = lab.path('waivers.toml')
  const old = lab.repo.run('commit-tree', '-m', 'elsewhere', lab.repo.run('write-tree'))
  await writeFile(waivers, '')
  await lab.startReceiver(`waivers_file = "${waivers}"\n`)
  await lab.record('run-1', old)

  expect((await lab.agent('ship')).code).toBe(1)
  const gated = await why()
  expect([gated.state, gated.receiver]).toEqual(['gated', expect.objectContaining({ reached: true })])
  expect(whats(gated)).toEqual(expect.arrayContaining(['host finished', 'host packed', 'host lane', 'receiver gate']))
  expect(gated.next).toContain('it waits until the gate lets its commit in')

  const waiver = `[[waiver]]\nhost = "lab-07"\ncommits = ["${old}"]\nuntil = 2200-01-01\nreason = "good"\nby = "kim"\n`
  await writeFile(waivers, waiver)
  await expect.poll(async () => (await why()).next, { timeout: 30_000 }).toContain('the gate lets its commit in by now')
  expect((await lab.agent('ship')).code).toBe(0)
  const delivered = await why()
  expect([delivered.state, delivered.receiver?.state, delivered.next]).toEqual([
    'delivered',
    'stored',
    'nothing: it is stored for good',
  ])
  expect(whats(delivered)).toEqual([
    ...['host packed', 'host lane', 'host lane', 'host delivered'],
    ...['receiver received', 'receiver indexed'],
  ])
  expect(delivered.events.at(-2)?.text).toContain('let in by a waiver')
  expect(delivered.events.map(({ at }) => at).toSorted()).toEqual(delivered.events.map(({ at }) => at))

  expect((await receiver('taint', old, '--reason', 'lens not calibrated', '--by', 'kim')).code).toBe(0)
  const tainted = await why()
  expect(whats(tainted).at(-1)).toBe('receiver tainted')
  expect(tainted.next).toContain('out of lists and manifests while it is tainted: lens not calibrated')

  const explained = await receiver('explain', 'run-1')
  expect(explained.stdout).toMatch(/^lab-07\/run-1: stored\n[\s\S]* was marked as bad by kim: lens not calibrated\nnext: /)

  expect((await receiver('prune', '--tainted', '--reason', 'cannot be used', '--yes')).code).toBe(0)
  const pruned = await why()
  expect([pruned.receiver?.state, whats(pruned).at(-1)]).toEqual(['pruned', 'receiver pruned'])
  expect(pruned.next).toBe('nothing: it was delivered; at the receiver it was taken out on purpose')
  expect((await receiver('list', '--pruned', 'only', '--tainted', 'include')).stdout).toContain('pruned: cannot be used')
  expect((await lab.agent('why', 'run-2', '--json')).code).toBe(1)
}, 240_000)
