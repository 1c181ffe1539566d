/** Backup of a receiver at work, the loss of its disk, restore: everything that was acknowledged before the backup is there. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { StoreLayout } from '../../packages/receiver/src/store/layout.ts'
import { episode } from '../support/archives.ts'
import { type Finished, runToEnd } from '../support/program.ts'
import { eventually, Site, type TestReceiver } from '../support/receiver.ts'
import { ask, put, sha256 } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
let backup: string

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
  backup = join(site.root, 'backup')
})
afterAll(() => site[Symbol.asyncDispose]())

let configs = 0
async function run(stateDir: string, command: string, ...args: string[]): Promise<Finished & { json: Record<string, unknown> }> {
  configs += 1
  const config = join(site.root, `config-${configs}.toml`)
  writeFileSync(config, `state_dir = "${stateDir}"\n`)
  const ended = await runToEnd('receiver', [command, '--config', config, ...args])
  return { ...ended, json: ended.stdout.startsWith('{') ? (JSON.parse(ended.stdout) as Record<string, unknown>) : {} }
}
const bytesOf = (id: string) => episode(id, site.head, `payload of ${id}`)
const send = (id: string) => put(receiver, id, bytesOf(id), { commit: site.head })
const key = (id: string) => ({ host: HostName.parse('lab-07'), id: EpisodeId.parse(id) })

/** Sends until told to stop. @returns the ids that were acknowledged, as they come */
function sendOn(prefix: string): { acknowledged: string[]; stop(): Promise<void> } {
  const acknowledged: string[] = []
  const state = { stopped: false }
  const sending = Promise.all(
    [1, 2, 3].map(async (client) => {
      for (let k = 1; !state.stopped; k += 1) {
        const id = `${prefix}-${client}-${k}`
        const answer = await send(id)
        expect(answer.status).toBe(201)
        acknowledged.push(id)
      }
    }),
  )
  return {
    acknowledged,
    stop: async () => {
      state.stopped = true
      await sending
    },
  }
}

it('a backup while uploads run holds all that was acknowledged before; a second one adds what is new; the restore is clean', async () => {
  const uploads = sendOn('a')
  await eventually(
    () => uploads.acknowledged.length,
    (count) => count >= 5,
  )
  const before = [...uploads.acknowledged]
  const first = await run(receiver.stateDir, 'backup', backup, '--json')
  expect([first.code, first.json]).toMatchObject([0, { faults: [] }])
  const fsck = await run(receiver.stateDir, 'fsck', '--verify-hashes', '--json')
  expect([fsck.code, fsck.json]).toMatchObject([0, { findings: [] }])
  await uploads.stop()

  // The disk is gone: what remains is the backup.
  const state = join(site.root, 'restored-1')
  const restored = await run(state, 'restore', backup, '--json', '--verify')
  expect([restored.code, restored.json]).toMatchObject([0, { faults: [], findings: [] }])
  const layout = new StoreLayout(state)
  for (const id of before) expect(sha256(readFileSync(layout.archive(key(id))))).toBe(sha256(bytesOf(id)))
  expect((await run(state, 'fsck', '--verify-hashes')).code).toBe(0)

  const second = await run(receiver.stateDir, 'backup', backup, '--json')
  const counts = second.json['counts'] as { there: number }
  expect(counts).toEqual({
    there: restored.json['rows'],
    linked: uploads.acknowledged.length - counts.there,
    copied: 0,
    pruned: 0,
  })
})

it('who was thrown out stays out after a restore', async () => {
  const thrownOut = await run(receiver.stateDir, 'revoke', 'lab-99', '--reason', 'stolen')
  expect(thrownOut.code).toBe(0)
  const state = join(site.root, 'restored-revoked')
  expect((await run(receiver.stateDir, 'backup', backup)).code).toBe(0)
  expect((await run(state, 'restore', backup)).code).toBe(0)
  const list = await run(state, 'revoke', '--list', '--json')
  expect(list.stdout).toContain('lab-99')
})

it('a store that was restored goes on: replays get their first receipts, and the chain has no gap', async () => {
  const state = join(site.root, 'restored-2')
  const first = await send('b-1')
  expect((await run(receiver.stateDir, 'backup', backup)).code).toBe(0)
  expect((await run(state, 'restore', backup, '--copy')).code).toBe(0)
  const old = receiver
  receiver = await site.start({ stateDir: state })
  const replay = await send('b-1')
  expect([replay.status, replay.body]).toEqual([200, first.body])
  expect((await send('b-2')).status).toBe(201)
  expect((await run(state, 'fsck', '--verify-hashes')).code).toBe(0)
  // A copy is its own file; a second name would be the backup's.
  expect(statSync(new StoreLayout(state).archive(key('b-1'))).nlink).toBe(1)
  await receiver.stop()
  receiver = old
})

it('what was pruned leaves the backup too, and is not restored', async () => {
  await send('c-1')
  expect((await run(receiver.stateDir, 'backup', backup)).code).toBe(0)
  const kept = new StoreLayout(backup)
  expect(existsSync(kept.archive(key('c-1')))).toBe(true)
  expect((await run(receiver.stateDir, 'prune', '--ids', 'c-1', '--reason', 'too old', '--yes')).code).toBe(0)
  expect((await run(receiver.stateDir, 'backup', backup, '--json')).json).toMatchObject({ removed: 1, faults: [] })
  expect(existsSync(kept.archive(key('c-1')))).toBe(false)
  const state = join(site.root, 'restored-3')
  expect((await run(state, 'restore', backup)).code).toBe(0)
  expect((await ask(receiver, '/v1/episodes/c-1.tar.zst')).status).toBe(410)
})

it('a backup that was killed in the middle, and a restore that was, end well when they run again', async () => {
  await send('d-1')
  await send('d-2')
  expect((await run(receiver.stateDir, 'backup', backup)).code).toBe(0)
  const kept = new StoreLayout(backup)
  // As the kill leaves it: half a body, an index that has no name yet, an archive without its receipt.
  writeFileSync(join(kept.incoming, 'x.part'), 'half')
  appendFileSync(`${kept.index}.new`, '{"half')
  unlinkSync(kept.sidecar(key('d-1')))
  unlinkSync(kept.archive(key('d-2')))
  expect((await run(receiver.stateDir, 'backup', backup, '--json')).json).toMatchObject({ faults: [], counts: { linked: 1 } })
  expect(readdirSync(kept.incoming)).toEqual([])

  const state = join(site.root, 'restored-4')
  cpSync(join(backup, 'episodes'), join(state, 'episodes'), { recursive: true })
  const layout = new StoreLayout(state)
  unlinkSync(layout.archive(key('d-2')))
  writeFileSync(layout.restoring, JSON.stringify({ from: backup, at: '2026-01-01T00:00:00.000Z' }))
  for (const command of ['fsck', 'serve'])
    expect(await run(state, command)).toMatchObject({ code: 3, stderr: expect.stringContaining('half restored') })
  expect((await run(state, 'restore', backup, '--json', '--verify')).json).toMatchObject({ faults: [], findings: [] })
  expect(existsSync(layout.restoring)).toBe(false)
  expect((await run(state, 'fsck', '--verify-hashes')).code).toBe(0)
})

it('an archive that is not what its row says is not carried over a good copy, and is told', async () => {
  await send('e-1')
  const other = join(site.root, 'backup-2')
  expect((await run(receiver.stateDir, 'backup', other, '--copy')).code).toBe(0)
  const [mine, kept] = [new StoreLayout(receiver.stateDir), new StoreLayout(other)]
  writeFileSync(mine.archive(key('e-1')), 'rotten')
  expect((await run(receiver.stateDir, 'backup', other, '--verify')).code).toBe(0)
  expect(sha256(readFileSync(kept.archive(key('e-1'))))).toBe(sha256(bytesOf('e-1')))
  rmSync(kept.archive(key('e-1')))
  const run2 = await run(receiver.stateDir, 'backup', other, '--copy')
  expect([run2.code, run2.stdout]).toMatchObject([1, expect.stringContaining('damaged: the archive of lab-07/e-1')])
  writeFileSync(mine.archive(key('e-1')), bytesOf('e-1'))
})

it('mistakes are told in a line, and nothing is touched', async () => {
  const state = receiver.stateDir
  const full = join(site.root, 'restored-1')
  await receiver.stop()
  const told = async (stateDir: string, ...args: [string, ...string[]]) => {
    const { code, stderr } = await run(stateDir, ...args)
    return [code, stderr.trim().split('\n').at(-1)]
  }
  expect(await told(state, 'backup', join(state, 'inside'))).toEqual([2, expect.stringContaining('lies in the store itself')])
  expect(await told(state, 'backup', full)).toEqual([2, expect.stringContaining('is no backup')])
  expect(await told(full, 'restore', backup)).toEqual([3, expect.stringContaining('holds a store already')])
  expect(await told(join(site.root, 'new'), 'restore', site.root)).toEqual([
    3,
    expect.stringContaining('is no backup that has ended'),
  ])
})
