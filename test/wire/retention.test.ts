/** What a client sees of an episode that was pruned, and of one whose receipt is damaged. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Picture } from '../../packages/receiver/src/store/fsck/look.ts'
import { StoreLayout } from '../../packages/receiver/src/store/layout.ts'
import { storeIsBusy } from '../../packages/receiver/src/store/store-lock.ts'
import { episode } from '../support/archives.ts'
import { type Finished, runToEnd } from '../support/program.ts'
import { Site, type TestReceiver } from '../support/receiver.ts'
import { ask, jsonOf, problemOf, put } from '../support/wire.ts'

let site: Site
let receiver: TestReceiver
let layout: StoreLayout
let config: string

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
  layout = new StoreLayout(receiver.stateDir)
  config = join(site.root, 'prune.toml')
  writeFileSync(config, `state_dir = "${receiver.stateDir}"\n`)
})
afterAll(() => site[Symbol.asyncDispose]())

const run = (command: string, ...args: string[]): Promise<Finished> =>
  runToEnd('receiver', [command, '--config', config, ...args])
const key = (id: string) => ({ host: HostName.parse('lab-07'), id: EpisodeId.parse(id) })
const send = (id: string, payload: string) => put(receiver, id, episode(id, site.head, payload), { commit: site.head })
const path = (id: string) => `/v1/episodes/${id}.tar.zst`

it('a pruned episode: the same bytes get the first receipt, other bytes are a conflict, reading is 410, and fsck is clean', async () => {
  const first = await send('gone', 'one')
  await send('stays', 'two')
  const pruned = await run('prune', '--ids', 'gone', '--reason', 'older than we keep', '--yes', '--json')
  expect([pruned.code, JSON.parse(pruned.stdout)]).toMatchObject([0, { pruned: 1, finished: 0, chosen: [{ id: 'gone' }] }])
  const replay = await send('gone', 'one')
  expect([replay.status, replay.body]).toEqual([200, first.body])
  const conflict = await send('gone', 'other')
  expect([conflict.status, problemOf(conflict).code]).toEqual([409, 'content-conflict'])
  const read = await ask(receiver, path('gone'))
  expect([read.status, problemOf(read).code]).toEqual([410, 'pruned'])
  expect(problemOf(read).detail).toContain('older than we keep')
  expect((await ask(receiver, path('gone'), { method: 'HEAD' })).status).toBe(410)
  expect((await ask(receiver, path('stays'))).status).toBe(200)
  expect(readdirSync(layout.shelf(key('gone'))).filter((name) => name.startsWith('gone'))).toEqual(['gone.json'])
  expect((await receiver.index()).map(({ id }) => id)).toEqual(['gone', 'stays'])
  const fsck = await run('fsck', '--verify-hashes')
  expect([fsck.code, fsck.stdout]).toEqual([0, '2 rows, 1 archive, 1 pruned, 0 findings\n'])
})

it('beside uploads and a prune that run fsck finds nothing, however often it looks', async () => {
  const state = { stopped: false }
  const sending = [1, 2].map(async (client) => {
    // Bounded: each look takes as long as there are episodes, and the quicker these come the more there are.
    for (let k = 1; !state.stopped && k <= 500; k += 1) expect((await send(`busy-${client}-${k}`, 'x')).status).toBe(201)
  })
  const pruning = run('prune', '--before', '0s', '--reason', 'busy', '--yes')
  const found: unknown[] = []
  for (let k = 0; k < 8; k += 1)
    found.push(...(await Picture.take(layout, { hashes: 'never', running: () => storeIsBusy(layout) })).findings())
  state.stopped = true
  await Promise.all(sending)
  expect([found, (await pruning).code]).toEqual([[], 0])
  expect((await run('fsck', '--verify-hashes')).code).toBe(0)
})

it('a damaged receipt is written anew from its row while a client waits, byte for byte', async () => {
  const first = await send('hurt', 'three')
  const sidecar = layout.sidecar(key('hurt'))
  writeFileSync(sidecar, '\0'.repeat(100))
  const [replay, read] = await Promise.all([send('hurt', 'three'), ask(receiver, path('hurt'))])
  expect([replay.status, replay.body, read.status]).toEqual([200, first.body, 200])
  expect(readFileSync(sidecar)).toEqual(first.body)
  expect(receiver.log.lines.filter(({ event }) => event === 'receipt-mended')).toHaveLength(1)
})

it('a damaged receipt that cannot be written anew is said so clearly, to the client and in the log', async () => {
  const first = await send('lost', 'four')
  const archive = readFileSync(layout.archive(key('lost')))
  archive[40] = (archive[40] as number) ^ 1
  writeFileSync(layout.archive(key('lost')), archive)
  writeFileSync(layout.sidecar(key('lost')), '{"id":"')
  const read = await ask(receiver, path('lost'))
  expect([read.status, problemOf(read).code]).toEqual([500, 'internal'])
  expect(problemOf(read).detail).toContain('its archive is not what its row says; cis490-receiver fsck --repair mends it')
  expect(receiver.log.at('error')).toContainEqual(
    expect.objectContaining({ event: 'receipt-damaged', host: 'lab-07', id: 'lost' }),
  )
  await receiver.stop()
  expect((await run('fsck', '--repair')).stdout).toContain('LOST lab-07/lost: wrong-hash')
  expect((await run('fsck', '--verify-hashes')).code).toBe(0)
  // The id is free: the host that still has it sends it again.
  receiver = await site.start({ stateDir: receiver.stateDir })
  const again = await send('lost', 'four')
  expect([again.status, jsonOf(again)['sha256']]).toEqual([201, jsonOf(first)['sha256']])
})
