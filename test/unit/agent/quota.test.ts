/** Quota, second copies and tombstones. */
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { parseConfig } from '@cis490/shared/node/config-file.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AgentContext } from '../../../packages/agent/src/commands/context.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { AgentConfig } from '../../../packages/agent/src/config.ts'
import { planRoom, type Room, type SecondCopy } from '../../../packages/agent/src/core/quota.ts'
import { Outbox } from '../../../packages/agent/src/outbox/outbox.ts'
import { Tombstone } from '../../../packages/agent/src/outbox/records.ts'
import { Reserve } from '../../../packages/agent/src/outbox/reserve.ts'
import { type AgentHome, makeAgentHome, recordEpisode } from '../../support/agent-home.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { fillUp, testOnTinyDisk, tinyDisk } from '../../support/tiny-disk.ts'

const start = Date.parse('2026-11-21T12:00:00Z')
const copy = (id: string, bytes: number): SecondCopy => ({ id: EpisodeId.parse(id), bytes, received_at: `2026-11-${id}` })
const room: Room = { used: 0, quota: 0, policy: 'stop-packing', free: 1000, held: 0, reserve: 64, copies: [], sameDisk: true }
const drops: Partial<Room> = { policy: 'drop-oldest-delivered' }
const copies = [copy('03', 100), copy('01', 100), copy('02', 100)]

test.each<[string, Partial<Room>, string, string[]]>([
  ['no quota and a free disk', {}, 'enough', []],
  ['exactly up to the quota', { used: 50, quota: 150 }, 'enough', []],
  ['one byte over the quota', { used: 51, quota: 150 }, 'quota', []],
  ['less than the reserve would stay free', { free: 163 }, 'disk-full', []],
  ['over the quota, stop-packing keeps the copies', { used: 400, quota: 450, copies }, 'quota', []],
  ['over the quota, the oldest copy goes', { ...drops, used: 400, quota: 450, copies }, 'enough', ['01 quota']],
  ['as many as needed, no more', { ...drops, used: 450, quota: 400, copies }, 'enough', ['01 quota', '02 quota']],
  [
    'even all would not be enough: none goes for nothing',
    { ...drops, used: 400, quota: 450, copies: [copy('01', 40)] },
    'quota',
    [],
  ],
  [
    'not enough for the next, but the limit is exceeded already',
    { ...drops, used: 510, quota: 450, copies: [copy('01', 100)] },
    'quota',
    ['01 quota'],
  ],
  ['the reserve file is room that is kept already', { free: 100, held: 64 }, 'enough', []],
  ['a full disk takes copies under either policy', { free: 100, copies }, 'enough', ['01 disk-full']],
  ['copies on another disk do not help a full one', { free: 100, copies, sameDisk: false }, 'disk-full', []],
])('room for 100 bytes: %s', (_sentence, more, verdict, dropped) => {
  const plan = planRoom({ ...room, ...more }, 100)
  expect([plan.verdict, plan.drop.map(({ copy: { id }, reason }) => `${id} ${reason}`)]).toEqual([verdict, dropped])
})

test('whatever the numbers: enough means that it fits after the drops, and none was dropped in vain', () => {
  const size = fc.integer({ min: 0, max: 500 })
  const rooms = fc.record({
    used: size,
    quota: size,
    policy: fc.constantFrom('stop-packing' as const, 'drop-oldest-delivered' as const),
    free: size,
    held: size,
    reserve: size,
    copies: fc.array(size, { maxLength: 5 }).map((sizes) => sizes.map((bytes, k) => copy(`0${k + 1}`, bytes))),
    sameDisk: fc.boolean(),
  })
  fc.assert(
    fc.property(rooms, size, (one, next) => {
      const { verdict, drop } = planRoom(one, next)
      const freed = drop.reduce((sum, { copy: { bytes } }) => sum + bytes, 0)
      const disk = one.free + (one.sameDisk ? freed : 0)
      if (verdict === 'enough') {
        expect(one.quota === 0 || one.used - freed + next <= one.quota).toBe(true)
        expect(disk + one.held - next).toBeGreaterThanOrEqual(one.reserve)
      }
      const last = drop.at(-1)?.copy.bytes ?? 0
      const asked = verdict === 'enough' ? next : 0
      const without = freed - last
      const overQuota = one.policy === 'drop-oldest-delivered' && one.quota > 0 && one.used - without + asked > one.quota
      const diskShort = one.sameDisk && one.free + without - asked < one.reserve
      expect(drop.length === 0 || overQuota || diskShort).toBe(true)
    }),
  )
})

async function openContext(home: AgentHome) {
  const { log, lines } = capturedLog()
  const clock = { now: start }
  const config = parseConfig(readFileSync(home.config, 'utf8'), home.config, AgentConfig)
  const dirs = { outboxDir: home.outbox, stateDir: home.state, log }
  const reserve = new Reserve({ ...dirs, bytes: config.quota.reserve })
  const outbox = await Outbox.open({ ...dirs, now: () => clock.now, giveRoom: (dir) => reserve.give(dir) })
  const context: AgentContext = { config, outbox, log, now: () => clock.now }
  const events = (event: string) => lines.filter((line) => line['event'] === event)
  return { context, outbox, reserve, events, clock, [Symbol.asyncDispose]: () => outbox[Symbol.asyncDispose]() }
}

type Agent = Awaited<ReturnType<typeof openContext>>

/** Packs and delivers; the folder stays as a second copy. */
async function deliver(agent: Agent, home: AgentHome, id: string, bytes: number, at: number): Promise<void> {
  recordEpisode(home, id, { data: 'x'.repeat(bytes) })
  const { packed } = await scan(agent.context)
  const entry = packed.find((one) => one.id === id)
  if (entry === undefined) throw new Error(`${id} was not packed`)
  const receipt = { id, host: 'lab-07', sha256: entry.sha256, bytes: entry.bytes, received_at: timestamp(start + at) }
  await agent.outbox.settleDelivered(entry, JSON.stringify(receipt))
}

function tombstones(home: AgentHome): Tombstone[] {
  const text = readFileSync(join(home.state, 'tombstones.jsonl'), 'utf8')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => Tombstone.parse(JSON.parse(line)))
}

test('drop-oldest-delivered frees the oldest second copies with a tombstone each, and packs', async () => {
  const home = makeAgentHome(
    '[quota]\nbytes = "20KiB"\npolicy = "drop-oldest-delivered"\nreserve = "0"\n[ship]\nkeep_shipped = "1MiB"\n',
  )
  await using agent = await openContext(home)
  await deliver(agent, home, 'b-old', 6000, 1)
  await deliver(agent, home, 'a-new', 6000, 2)
  recordEpisode(home, 'c-next', { data: 'x'.repeat(6000) })
  const { packed, freed, left, later } = await scan(agent.context)
  expect({ packed, freed, left, later }).toMatchObject({
    packed: [{ id: 'c-next' }],
    freed: [{ id: 'b-old' }],
    left: [{ id: 'a-new', reason: 'second-copy' }],
    later: [],
  })
  expect(readdirSync(home.episodes)).toEqual(['a-new', 'c-next'])
  expect(tombstones(home)).toMatchObject([
    { id: 'b-old', what: 'second-copy', by: 'cis490-agent', reason: expect.stringContaining('quota') },
  ])
  expect(await agent.outbox.find(EpisodeId.parse('c-next'))).toBeDefined()
})

test('stop-packing keeps second copies, alarms at once and every hour, and tells when it goes on', async () => {
  const home = makeAgentHome('[quota]\nbytes = "20KiB"\nreserve = "0"\n[ship]\nkeep_shipped = "1MiB"\n')
  await using agent = await openContext(home)
  await deliver(agent, home, 'a', 6000, 1)
  const big = recordEpisode(home, 'b', { data: 'x'.repeat(9000) })
  for (const minutes of [0, 30, 61]) {
    agent.clock.now = start + minutes * 60_000
    expect(await scan(agent.context)).toMatchObject({ packed: [], freed: [], later: [{ id: 'b', reason: 'quota' }] })
  }
  expect(agent.events('packing-stopped')).toHaveLength(2)
  expect(readdirSync(home.episodes)).toEqual(['a', 'b'])
  expect(tombstones(home)).toEqual([])
  writeFileSync(join(big, 'data'), 'x'.repeat(100))
  utimesSync(join(big, 'data'), 1_700_000_000, 1_700_000_000)
  expect(await scan(agent.context)).toMatchObject({ packed: [{ id: 'b' }] })
  expect(agent.events('packing-goes-on')).toHaveLength(1)
})

test('nothing without a receipt, and nothing that changed since, ever makes room', async () => {
  const home = makeAgentHome(
    '[quota]\nbytes = "4KiB"\npolicy = "drop-oldest-delivered"\nreserve = "0"\n[ship]\nkeep_shipped = "1MiB"\n',
  )
  await using agent = await openContext(home)
  await deliver(agent, home, 'a', 500, 1)
  writeFileSync(join(home.episodes, 'a', 'added-later'), 'x'.repeat(5000))
  recordEpisode(home, 'b', { data: 'x'.repeat(5000) })
  expect(await scan(agent.context)).toMatchObject({ packed: [], freed: [], later: [{ id: 'b' }] })
  expect(readdirSync(home.episodes)).toEqual(['a', 'b'])
  expect(tombstones(home)).toEqual([])
})

test('copies that could not be freed got another tombstone in every scan', async () => {
  const home = makeAgentHome(
    '[quota]\nbytes = "4KiB"\npolicy = "drop-oldest-delivered"\nreserve = "0"\n[ship]\nkeep_shipped = "1MiB"\n',
  )
  await using agent = await openContext(home)
  for (const [at, id] of ['a', 'b'].entries()) await deliver(agent, home, id, 500, at)
  // The names that they are set aside under are taken.
  for (const id of ['a', 'b']) mkdirSync(join(home.episodes, `.deleting-${id}`, 'x'), { recursive: true })
  for (const id of ['a', 'b']) writeFileSync(join(home.episodes, `.deleting-${id}`, 'x', 'file'), 'x'.repeat(3000))
  for (const _ of [1, 2, 3]) expect((await scan(agent.context)).freed).toEqual([])
  expect(tombstones(home).map(({ id }) => id)).toEqual(['a'])
})

test('what a deletion left behind, and what is unfinished, counts for the quota', async () => {
  const home = makeAgentHome('[quota]\nbytes = "10KiB"\nreserve = "0"\n')
  mkdirSync(join(home.episodes, '.deleted-old'))
  writeFileSync(join(home.episodes, '.deleted-old', 'rest'), 'x'.repeat(5000))
  mkdirSync(join(home.episodes, 'running'))
  writeFileSync(join(home.episodes, 'running', 'data'), 'x'.repeat(4000))
  recordEpisode(home, 'a', { data: 'x'.repeat(600) })
  await using agent = await openContext(home)
  expect(await scan(agent.context)).toMatchObject({ packed: [], later: [{ id: 'a', reason: 'quota' }] })
})

function tinyToml({ episodes, outbox, state }: AgentHome): string {
  return (
    `[receiver]\nurl = "http://127.0.0.1:1"\n[paths]\nepisodes = "${episodes}"\noutbox = "${outbox}"\nstate = "${state}"\n` +
    '[ship]\nkeep_shipped = "1GiB"\n[quota]\nreserve = "256KiB"\n'
  )
}

testOnTinyDisk('on a full disk second copies make room under stop-packing too, so that recorders go on', async () => {
  const root = tinyDisk(8)
  const home = {
    root,
    episodes: join(root, 'episodes'),
    outbox: join(root, 'outbox'),
    state: join(root, 'state'),
    config: join(root, 'c.toml'),
  }
  writeFileSync(home.config, tinyToml(home))
  await using agent = await openContext(home)
  await deliver(agent, home, 'old', 400_000, 1)
  await deliver(agent, home, 'new', 400_000, 2)
  agent.reserve.keep()
  await agent.reserve.settled()
  fillUp(root)
  const { freed } = await scan(agent.context)
  expect(freed).toMatchObject([{ id: 'old' }])
  expect(existsSync(join(home.episodes, 'new'))).toBe(true)
  expect(tombstones(home)).toMatchObject([{ id: 'old', reason: expect.stringContaining('full disk') }])
})

testOnTinyDisk('a second copy whose tombstone cannot be written stays, and the scan goes on', async () => {
  const root = tinyDisk(8)
  const home = {
    root,
    episodes: join(root, 'episodes'),
    outbox: join(root, 'outbox'),
    state: join(root, 'state'),
    config: join(root, 'c.toml'),
  }
  writeFileSync(home.config, tinyToml(home))
  await using agent = await openContext(home)
  await deliver(agent, home, 'old', 400_000, 1)
  fillUp(root)
  expect(await scan(agent.context)).toMatchObject({ freed: [], packed: [] })
  expect(agent.events('second-copy-left')).toHaveLength(1)
  expect(existsSync(join(home.episodes, 'old'))).toBe(true)
})

test('the most urgent are packed first, and what has waited for a day passes them', async () => {
  const home = makeAgentHome('[quota]\nreserve = "0"\n')
  const recorded = (id: string, priority: unknown, hoursAgo: number) => {
    const folder = recordEpisode(home, id, undefined, { priority })
    const at = start / 1000 - hoursAgo * 3600
    for (const name of ['telemetry.csv', 'meta.json']) utimesSync(join(folder, name), at, at)
  }
  recorded('a', 'low', 1)
  recorded('b', undefined, 1)
  recorded('c', 'high', 1)
  recorded('d', -10, 30)
  recorded('e', 3, 1)
  await using agent = await openContext(home)
  const { packed } = await scan(agent.context)
  expect(packed.map(({ id }) => id)).toEqual(['d', 'c', 'e', 'b', 'a'])
  expect(packed.map(({ priority }) => priority)).toEqual([-10, 10, 3, undefined, -10])
})

test('what may not be packed now is left for a later scan, with the reason', async () => {
  const home = makeAgentHome()
  recordEpisode(home, 'a')
  await using agent = await openContext(home)
  const { packed, later } = await scan(agent.context, { mayPack: () => ({ go: 'wait', reason: 'paused', pause: {} }) })
  expect({ packed, later }).toEqual({ packed: [], later: [{ id: 'a', reason: 'paused' }] })
})
