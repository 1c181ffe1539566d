/** What status, doctor and report are made of, and what they read from the system. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { parseConfig } from '@cis490/shared/node/config-file.ts'
import { describe, expect, test } from 'vitest'
import { describeManner, heldBack } from '../../../packages/agent/src/commands/make-manners.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { summarize } from '../../../packages/agent/src/commands/summary.ts'
import { AgentConfig } from '../../../packages/agent/src/config.ts'
import { packEpisode } from '../../../packages/agent/src/episodes/pack.ts'
import { lookAt } from '../../../packages/agent/src/episodes/scan.ts'
import { Outbox } from '../../../packages/agent/src/outbox/outbox.ts'
import { pausePath, readPause, removePause, writePause } from '../../../packages/agent/src/ship/pause-file.ts'
import { readPressure } from '../../../packages/agent/src/ship/psi.ts'
import { type AgentHome, makeAgentHome, recordEpisode } from '../../support/agent-home.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { scratchDir } from '../../support/scratch.ts'

async function open(home: AgentHome) {
  const { log } = capturedLog()
  const config = parseConfig(readFileSync(home.config, 'utf8'), home.config, AgentConfig)
  const outbox = await Outbox.open({ outboxDir: home.outbox, stateDir: home.state, log, now: Date.now })
  return { config, outbox, log, now: Date.now, [Symbol.asyncDispose]: () => outbox[Symbol.asyncDispose]() }
}

test('what could not be packed has no archive, so it has no age', async () => {
  const home = makeAgentHome()
  symlinkSync('/etc/passwd', join(recordEpisode(home, 'a'), 'outside'))
  await using agent = await open(home)
  await scan(agent)
  expect(await summarize(agent.config, Date.now() + 60_000)).toMatchObject({
    lanes: { quarantine: { count: 1 } },
    oldest_age_s: null,
    unstamped: 0,
    unpacked: 0,
  })
})

test('second copies, tombstones, recordings, quota and what waits for room are counted', async () => {
  const home = makeAgentHome('[ship]\nkeep_shipped = "1MiB"\n[quota]\nbytes = "6KiB"\nreserve = "0"\n')
  await using agent = await open(home)
  recordEpisode(home, 'kept', { data: 'x'.repeat(1000) })
  const entry = (await scan(agent)).packed[0]
  if (!entry) throw new Error('nothing was packed')
  const receipt = { id: 'kept', host: 'h', sha256: entry.sha256, bytes: entry.bytes, received_at: timestamp(Date.now()) }
  await agent.outbox.settleDelivered(entry, JSON.stringify(receipt))
  await agent.outbox.bury({ id: EpisodeId.parse('gone'), reason: 'lens cap', by: 'ada' })
  mkdirSync(join(home.episodes, 'running'))
  recordEpisode(home, 'big', { data: 'x'.repeat(3000) })
  expect(await scan(agent)).toMatchObject({ later: [{ id: 'big', reason: 'quota' }] })
  const summary = await summarize(agent.config, Date.now())
  expect(summary).toMatchObject({
    recording: 1,
    unpacked: 1,
    tombstones: { count: 1, last: [{ id: 'gone', reason: 'lens cap' }] },
    room: { quota_bytes: 6144, second_copies: { count: 1 }, stopped: { reason: 'quota', first: 'big', count: 1 } },
  })
  expect(summary.room.second_copies.bytes).toBeGreaterThan(1000)
  expect(summary.room.used_bytes).toBeGreaterThan(4000)
})

test('packing that stopped was green while a copy that never makes room was counted as room', async () => {
  const home = makeAgentHome(
    '[ship]\nkeep_shipped = "1MiB"\n[quota]\nbytes = "6KiB"\npolicy = "drop-oldest-delivered"\nreserve = "0"\n',
  )
  await using agent = await open(home)
  recordEpisode(home, 'kept', { data: 'x'.repeat(500) })
  const entry = (await scan(agent)).packed[0]
  if (!entry) throw new Error('nothing was packed')
  const receipt = { id: 'kept', host: 'h', sha256: entry.sha256, bytes: entry.bytes, received_at: timestamp(Date.now()) }
  await agent.outbox.settleDelivered(entry, JSON.stringify(receipt))
  writeFileSync(join(home.episodes, 'kept', 'added-later'), 'x'.repeat(5000))
  recordEpisode(home, 'big', { data: 'x'.repeat(3000) })
  expect(await scan(agent)).toMatchObject({ later: [{ id: 'big', reason: 'quota' }] })
  expect((await summarize(agent.config, Date.now())).room).toMatchObject({
    second_copies: { count: 0 },
    stopped: { reason: 'quota', first: 'big', count: 1 },
  })
})

test('a folder whose meta.json is broken is named', async () => {
  const home = makeAgentHome()
  writeFileSync(join(recordEpisode(home, 'a'), 'meta.json'), '{"episode_id": "a"')
  await using agent = await open(home)
  expect((await summarize(agent.config, Date.now())).stuck).toEqual([{ id: 'a', reason: 'meta.json is not a JSON object' }])
})

describe('pause', () => {
  const pause = { since: '2026-11-21T12:00:00.000Z', by: 'ada', reason: 'calibration' }

  test('is kept until its time or until it is removed', async () => {
    const dir = scratchDir()
    expect(readPause(dir)).toBeUndefined()
    await writePause(dir, { ...pause, until: '2026-11-21T13:00:00.000Z' })
    expect(readPause(dir)).toEqual({ ...pause, until: Date.parse('2026-11-21T13:00:00Z') })
    expect([await removePause(dir), await removePause(dir)]).toEqual([true, false])
  })

  test('a file that cannot be understood is a pause all the same', () => {
    const dir = scratchDir()
    writeFileSync(pausePath(dir), '{')
    expect(readPause(dir)?.reason).toContain('cannot be read')
  })

  test('says who, why and until when; so does a window', async () => {
    const home = makeAgentHome('[ship]\nwindows = ["*-01-01 00:00..00:01"]\n')
    const config = parseConfig(readFileSync(home.config, 'utf8'), home.config, AgentConfig)
    const now = new Date(2026, 5, 1, 12).getTime()
    expect(heldBack(config, now, false)).toMatchObject({
      reason: 'outside-window',
      text: 'outside its window for more than a week',
    })
    mkdirSync(home.state)
    await writePause(home.state, pause)
    expect(heldBack(config, now, false)?.text).toMatch(/^paused by ada since .* until "cis490-agent resume": calibration$/)
    expect(describeManner({ go: 'wait', reason: 'pressure', resource: 'io' }, config, now).text).toContain('busy (io)')
  })
})

test('pressure is read from the kernel, and a kernel without it is no fault', () => {
  const dir = scratchDir()
  expect(readPressure(dir)).toBeUndefined()
  for (const [name, share] of [
    ['io', '61.50'],
    ['cpu', '3.00'],
    ['memory', '0.00'],
  ])
    writeFileSync(
      join(dir, name as string),
      `some avg10=${share} avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n`,
    )
  expect(readPressure(dir)).toEqual({ io: 61.5, cpu: 3, memory: 0 })
})

test('packing takes a breath between two pieces of a file, and gives the same bytes', async () => {
  const home = makeAgentHome()
  const id = EpisodeId.parse('a')
  recordEpisode(home, id, { data: 'x'.repeat(300_000), more: 'y' })
  const pack = async (partPath: string, breathe?: () => Promise<void>) => {
    const { tree } = await lookAt(home.episodes, id, Date.now())
    return await packEpisode({ episodesDir: home.episodes, id, tree, partPath, breathe })
  }
  let breaths = 0
  const breathe = () => {
    breaths += 1
    return Promise.resolve()
  }
  expect(await pack(join(home.root, 'one'), breathe)).toEqual(await pack(join(home.root, 'two')))
  expect(breaths).toBeGreaterThanOrEqual(3)
})
