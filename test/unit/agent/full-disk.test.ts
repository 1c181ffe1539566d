/** Bookkeeping on a disk that is really full. */
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import { expect, onTestFinished } from 'vitest'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { AgentConfig } from '../../../packages/agent/src/config.ts'
import { reserveName } from '../../../packages/agent/src/outbox/layout.ts'
import { Outbox } from '../../../packages/agent/src/outbox/outbox.ts'
import { Reserve } from '../../../packages/agent/src/outbox/reserve.ts'
import { recordEpisode } from '../../support/agent-home.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { fillUp, testOnTinyDisk, tinyDisk } from '../../support/tiny-disk.ts'

const id = EpisodeId.parse('ep-1')
const mib = 1 << 20

async function agentOn(root: string, { stateDir = join(root, 'state'), reserveBytes = mib } = {}) {
  const home = { root, episodes: join(root, 'episodes'), outbox: join(root, 'outbox'), state: stateDir, config: '' }
  const config = AgentConfig.parse({
    host: { name: 'lab-07' },
    receiver: { url: 'http://127.0.0.1:1' },
    paths: { episodes: home.episodes, outbox: home.outbox, state: stateDir },
    quota: { reserve: reserveBytes },
  })
  const { log, lines } = capturedLog()
  const reserve = new Reserve({ stateDir, outboxDir: home.outbox, bytes: reserveBytes, log })
  const outbox = await Outbox.open({
    outboxDir: home.outbox,
    stateDir,
    log,
    now: Date.now,
    giveRoom: (dir) => reserve.give(dir),
  })
  onTestFinished(async () => {
    await reserve[Symbol.asyncDispose]()
    await outbox[Symbol.asyncDispose]()
  })
  const events = () => lines.map((line) => line['event'])
  return { home, outbox, reserve, events, context: { config, outbox, log, now: Date.now } }
}

async function packedEntry(agent: Awaited<ReturnType<typeof agentOn>>) {
  recordEpisode(agent.home, id, { 'telemetry.bin': 'x'.repeat(50_000) })
  const { packed } = await scan(agent.context)
  const [entry] = packed
  if (entry === undefined) throw new Error('nothing was packed')
  return entry
}

const receiptFor = (entry: { id: string; sha256: string; bytes: number }, more = {}) =>
  JSON.stringify({
    id: entry.id,
    host: 'lab-07',
    sha256: entry.sha256,
    bytes: entry.bytes,
    received_at: timestamp(Date.now()),
    ...more,
  })

testOnTinyDisk(
  'on a full disk a delivered episode settles from the reserve, its archive goes, and the reserve is made again',
  async () => {
    const root = tinyDisk(8)
    const agent = await agentOn(root)
    const entry = await packedEntry(agent)
    agent.reserve.keep()
    await agent.reserve.settled()
    const reserve = join(agent.home.state, reserveName)
    expect(statSync(reserve)).toMatchObject({ size: mib, blocks: mib / 512 })
    const empty = fillUp(root)

    await agent.outbox.settleDelivered(entry, receiptFor(entry))
    expect(existsSync(reserve)).toBe(false)
    expect(readFileSync(join(agent.home.state, 'receipts.jsonl'), 'utf8').split('\n')).toHaveLength(2)
    expect(existsSync(agent.outbox.archivePath(id))).toBe(false)
    expect(await agent.outbox.entries()).toEqual([])
    expect(statfsSync(root).bavail).toBeGreaterThan(0)

    agent.reserve.keep()
    await agent.reserve.settled()
    expect(existsSync(reserve)).toBe(false)
    empty()
    agent.reserve.keep()
    await agent.reserve.settled()
    expect(statSync(reserve).size).toBe(mib)
    expect(agent.events().filter((event) => String(event).startsWith('reserve'))).toEqual([
      'reserve-made',
      'reserve-given',
      'reserve-made',
    ])
  },
)

testOnTinyDisk(
  'without a reserve a receipt that cannot be written is believed by nobody, and can be written once there is room',
  async () => {
    const root = tinyDisk(4)
    const agent = await agentOn(root, { reserveBytes: 0 })
    const entry = await packedEntry(agent)
    const empty = fillUp(root)
    // Longer than a page: part of it may be written before the disk is full.
    const receipt = receiptFor(entry, { padding: 'p'.repeat(10_000) })
    await expect(agent.outbox.settleDelivered(entry, receipt)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(agent.outbox.hasReceipt(id)).toBe(false)
    expect(existsSync(agent.outbox.archivePath(id))).toBe(true)
    expect(readFileSync(join(agent.home.state, 'receipts.jsonl'), 'utf8')).toBe('')
    empty()
    await agent.outbox.settleDelivered(entry, receipt)
    expect(agent.outbox.hasReceipt(id)).toBe(true)
    expect(await agent.outbox.entries()).toEqual([])
  },
)

testOnTinyDisk('two receipts that meet the full disk together are both written', async () => {
  const root = tinyDisk(8)
  const agent = await agentOn(root)
  const first = await packedEntry(agent)
  const second = EpisodeId.parse('ep-2')
  recordEpisode(agent.home, second)
  const other = (await scan(agent.context)).packed[0]
  if (other === undefined) throw new Error('nothing was packed')
  agent.reserve.keep()
  await agent.reserve.settled()
  fillUp(root)
  await Promise.all([first, other].map((entry) => agent.outbox.settleDelivered(entry, receiptFor(entry))))
  expect(readFileSync(join(agent.home.state, 'receipts.jsonl'), 'utf8').trim().split('\n')).toHaveLength(2)
  expect(await agent.outbox.entries()).toEqual([])
})

testOnTinyDisk('a tombstone and a change of lane get through a full disk', async () => {
  const root = tinyDisk(8)
  const agent = await agentOn(root)
  const entry = await packedEntry(agent)
  const refill = async () => {
    agent.reserve.keep()
    await agent.reserve.settled()
    return fillUp(root)
  }
  const empty = await refill()
  await agent.outbox.update({ ...entry, lane: 'quarantine' })
  expect(await agent.outbox.find(id)).toMatchObject({ lane: 'quarantine' })
  empty()
  await refill()
  expect(await agent.outbox.drop(id, 'broken camera', 'ada')).toBe(true)
  expect(readFileSync(join(agent.home.state, 'tombstones.jsonl'), 'utf8')).toContain('broken camera')
  expect(await agent.outbox.entries()).toEqual([])
})

testOnTinyDisk(
  'where outbox and state lie on two file systems each has a reserve, and only the full one is given back',
  async () => {
    const [root, stateDir] = [tinyDisk(8), tinyDisk(8)]
    const agent = await agentOn(root, { stateDir })
    const entry = await packedEntry(agent)
    agent.reserve.keep()
    await agent.reserve.settled()
    const there = () => [stateDir, agent.home.outbox].map((dir) => existsSync(join(dir, reserveName)))
    expect(there()).toEqual([true, true])
    fillUp(root)
    await agent.outbox.update({ ...entry, attempts: 1 })
    expect(there()).toEqual([true, false])
    expect(await agent.outbox.find(id)).toMatchObject({ attempts: 1 })
  },
)

testOnTinyDisk('packing never takes the reserve', async () => {
  const root = tinyDisk(8)
  const agent = await agentOn(root)
  recordEpisode(agent.home, id, { 'telemetry.bin': 'x'.repeat(50_000) })
  agent.reserve.keep()
  await agent.reserve.settled()
  fillUp(root)
  const { packed, later } = await scan(agent.context)
  expect({ packed, later }).toMatchObject({ packed: [], later: [{ id, reason: 'disk-full' }] })
  expect(existsSync(join(agent.home.state, reserveName))).toBe(true)
})

testOnTinyDisk('a journal that met a full disk goes on behind its last durable row', async () => {
  const root = tinyDisk(2)
  const path = join(root, 'rows.jsonl')
  const journal = await Journal.open(path)
  await journal.append({ n: 1 })
  const empty = fillUp(root)
  await expect(journal.append({ n: 2, padding: 'p'.repeat(9000) })).rejects.toMatchObject({ code: 'ENOSPC' })
  await expect(journal.append({ n: 3 })).rejects.toThrow('failed before')
  empty()
  await using fresh = await journal.reopen()
  await fresh.append({ n: 4 })
  expect(readFileSync(path, 'utf8')).toBe('{"n":1}\n{"n":4}\n')
})
