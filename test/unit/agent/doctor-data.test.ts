/** What the doctor finds about disks, episodes and outbox, with each thing broken for real. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, statfsSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { describe, expect, test } from 'vitest'
import { takePosition } from '../../../packages/agent/src/commands/examine.ts'
import type { AgentConfig } from '../../../packages/agent/src/config.ts'
import { daysUntilFull, keepSamples } from '../../../packages/agent/src/core/disk-trend.ts'
import { freeNow } from '../../../packages/agent/src/doctor/checks/disk-trend.ts'
import { addFreeSample, readFreeHistory } from '../../../packages/agent/src/doctor/disk-history.ts'
import { writePause } from '../../../packages/agent/src/ship/pause-file.ts'
import { expectBroken } from '../../support/broken.ts'
import { examined, hostConfig } from '../../support/examined.ts'
import { fillUp, testOnTinyDisk, tinyDisk } from '../../support/tiny-disk.ts'

const day = 86_400_000
const text = (pattern: RegExp) => expect.stringMatching(pattern) as string
const lonely = (more: Partial<AgentConfig['paths']> = {}) => {
  const config = hostConfig({ url: 'https://127.0.0.1:1' }, { host: { name: 'lab-07' } })
  return { ...config, paths: { ...config.paths, ...more } }
}

describe('disks', () => {
  test('a disk that fills up is told in days', async () => {
    const config = lonely()
    mkdirSync(config.paths.state)
    const folders = [config.paths.outbox, config.paths.episodes]
    const { [config.paths.outbox]: free = 0 } = await freeNow(folders)
    const now = Date.now()
    const judge = async (daily: number) => {
      for (const ago of [4, 3, 2, 1])
        await addFreeSample(config.paths.state, { at: now - ago * day, free: { [config.paths.outbox]: free + ago * daily } })
      return await examined(config, ['disk-trend'])
    }
    expectBroken(await judge(free / 10), {
      breaks: 'disk-trend',
      outcome: 'warn',
      text: /is full in (9|10) days/,
      remedy: /^du -xh /,
    })
    writeFileSync(join(config.paths.state, 'disk.json'), 'not written to its end')
    expectBroken(await judge(free), { breaks: 'disk-trend', outcome: 'fail', text: /is full in [01] days/, remedy: /^du -xh / })
    expect(await readFreeHistory(config.paths.state)).toHaveLength(4)
  })

  test.each([
    [
      'too few samples say nothing',
      [
        [0, 100],
        [2, 50],
      ],
      undefined,
    ],
    [
      'a few hours say nothing',
      [
        [0, 100],
        [0.1, 50],
        [0.2, 25],
      ],
      undefined,
    ],
    [
      'a disk that gets emptier never fills',
      [
        [0, 10],
        [1, 20],
        [2, 30],
      ],
      undefined,
    ],
    [
      'a steady loss ends',
      [
        [0, 40],
        [1, 30],
        [2, 20],
      ],
      2,
    ],
  ] as [string, [number, number][], number | undefined][])('%s', (_, samples, days) => {
    const found = daysUntilFull(samples.map(([at, free]) => ({ at: at * day, free })))
    expect(found === undefined ? undefined : Math.round(found * 1000) / 1000).toBe(days)
  })

  test('samples of last month and of the future go', () => {
    expect(keepSamples([{ at: 0 }, { at: 29 * day }, { at: 31 * day }], 30 * day)).toEqual([{ at: 29 * day }])
  })

  testOnTinyDisk('no more files, though there is room', async () => {
    const dir = tinyDisk(4)
    const remounted = spawnSync('mount', ['-o', 'remount,nr_inodes=20', dir])
    expect(remounted.status).toBe(0)
    const config = lonely({ outbox: dir })
    expect((await examined(config, ['inodes']))['inodes']?.outcome).toBe('pass')
    const useUp = async (left: number) => {
      for (let k = statfsSync(dir).ffree; k > left; k--) writeFileSync(join(dir, `file-${k}`), '')
      return await examined(config, ['inodes', 'disk'])
    }
    expectBroken(await useUp(1), { breaks: 'inodes', outcome: 'warn', text: /^1 free \(5.0 %\)/, remedy: /^df -i .*du --inodes/ })
    const none = await useUp(0)
    expectBroken(none, { breaks: 'inodes', outcome: 'fail', text: /^0 free \(0.0 %\)/, remedy: /^df -i .*du --inodes/ })
    expect(none['disk']?.outcome).toBe('pass')
  })

  testOnTinyDisk('a disk with little room, and one without any', async () => {
    const dir = tinyDisk(4)
    const config = lonely({ outbox: dir })
    expect((await examined(config, ['disk']))['disk']?.outcome).toBe('pass')
    const { blocks, bsize } = statfsSync(dir)
    writeFileSync(join(dir, 'recorded'), Buffer.alloc(blocks * bsize * 0.95))
    expectBroken(await examined(config, ['disk']), {
      breaks: 'disk',
      outcome: 'warn',
      text: /free \([45]\.\d %\) at /,
      remedy: /^df -h /,
    })
    fillUp(dir)
    expectBroken(await examined(config, ['disk']), { breaks: 'disk', outcome: 'fail', text: /^0 B free/, remedy: /^df -h / })
  })

  testOnTinyDisk('a report has a number also where the disk is full', async () => {
    const dir = tinyDisk(1)
    const config = lonely({ state: dir })
    expect((await takePosition(config)).sequence).toBe(1)
    fillUp(dir)
    expect((await takePosition(config)).sequence).toBe(2)
    expect((await takePosition(config)).sequence).toBe(2)
  })
})

describe('episodes and outbox', () => {
  test('names that can be no episode are a warning', async () => {
    const config = lonely()
    mkdirSync(join(config.paths.episodes, 'good'), { recursive: true })
    expect((await examined(config, ['episodes-readable']))['episodes-readable']?.outcome).toBe('pass')
    writeFileSync(join(config.paths.episodes, 'notes.txt'), '')
    expectBroken(await examined(config, ['episodes-readable']), {
      breaks: 'episodes-readable',
      outcome: 'warn',
      text: /1 name in .* first notes.txt \(not a folder\)/,
      remedy: /^ls -la /,
    })
  })

  test('a folder that is none is a fail, and hides what follows', async () => {
    const config = lonely()
    writeFileSync(config.paths.episodes, '')
    const results = await examined(config, ['episodes-readable', 'outbox', 'watch-limit'])
    expectBroken(results, { breaks: 'episodes-readable', outcome: 'fail', text: /^cannot list /, remedy: /^sudo chgrp cis490 / })
    expect(results).toMatchObject({
      outbox: { outcome: 'skip' },
      'watch-limit': { outcome: 'skip' },
    })
  })

  testOnTinyDisk('folders in which nothing can be deleted are named', async () => {
    const dir = tinyDisk(1)
    mkdirSync(join(dir, 'ep-1'))
    const config = lonely({ episodes: dir })
    expect((await examined(config, ['episodes-deletable']))['episodes-deletable']?.outcome).toBe('pass')
    expect(spawnSync('mount', ['-o', 'remount,ro', dir]).status).toBe(0)
    expectBroken(await examined(config, ['episodes-deletable']), {
      breaks: 'episodes-deletable',
      outcome: 'warn',
      text: /2 folders in which this user may not delete, first .* \(read-only\)/,
      remedy: /^findmnt -T .*ReadWritePaths=/,
    })
  })

  /** An archive that has waited; its bytes do not matter to the checks. */
  function waits({ paths }: AgentConfig, id: string, lane: string, ageMs: number): void {
    mkdirSync(paths.outbox, { recursive: true })
    const sidecar = { sha256: 'a'.repeat(64), bytes: 1, lane, attempts: 0 }
    writeFileSync(join(paths.outbox, `${EpisodeId.parse(id)}.json`), JSON.stringify(sidecar))
    const archive = join(paths.outbox, `${id}.tar.zst`)
    writeFileSync(archive, 'x')
    utimesSync(archive, new Date(Date.now() - ageMs), new Date(Date.now() - ageMs))
  }

  test('what waits for a person, and an outbox that is none', async () => {
    const config = lonely()
    waits(config, 'ep-1', 'quarantine', day)
    expectBroken(await examined(config, ['outbox']), {
      breaks: 'outbox',
      outcome: 'warn',
      text: /^1 episode refused for good$/,
      remedy: /^cis490-agent outbox list; .*outbox release or drop/,
    })
    const none = lonely()
    writeFileSync(none.paths.outbox, '')
    expectBroken(await examined(none, ['outbox']), {
      breaks: 'outbox',
      outcome: 'fail',
      text: /^cannot read the outbox: /,
      remedy: /paths.outbox/,
    })
  })

  test('shipping that somebody paused', async () => {
    const config = lonely()
    mkdirSync(config.paths.state)
    expect((await examined(config, ['shipping']))['shipping']?.outcome).toBe('pass')
    await writePause(config.paths.state, { since: timestamp(Date.now()), by: 'ada', reason: 'a measurement runs' })
    expectBroken(await examined(config, ['shipping']), {
      breaks: 'shipping',
      outcome: 'warn',
      text: /^paused by ada since .*: a measurement runs$/,
      remedy: /^sudo cis490-agent resume$/,
    })
  })

  test('what is ready and does not go, and receipts that stopped, are warnings', async () => {
    const config = lonely()
    const codes = ['outbox-age', 'last-receipt']
    waits(config, 'ep-1', 'gated', 2 * day)
    waits(config, 'ep-2', 'ready', 60_000)
    expect(await examined(config, codes)).toMatchObject({
      'outbox-age': { outcome: 'pass', text: text(/ready for (1 min|59 s).*, gated for 2 d/) },
      'last-receipt': { outcome: 'pass', text: 'nothing was delivered yet' },
    })
    waits(config, 'ep-2', 'ready', 2 * day)
    mkdirSync(config.paths.state)
    const receipt = { id: 'ep-0', host: 'lab-07', sha256: 'b'.repeat(64), bytes: 1, received_at: timestamp(Date.now() - 3 * day) }
    writeFileSync(join(config.paths.state, 'receipts.jsonl'), `${JSON.stringify(receipt)}\n`)
    const stalled = await examined(config, codes)
    expectBroken(stalled, { breaks: 'outbox-age', outcome: 'warn', text: /ready for 2 d/, remedy: /^cis490-agent outbox list / })
    expect(stalled['outbox-age']?.data).toMatchObject({ oldest_age_s: { quarantine: null } })
    expectBroken(stalled, {
      breaks: 'last-receipt',
      outcome: 'warn',
      text: /came 3 d ago, for ep-0, and archives have been ready for 2 d/,
      remedy: /^journalctl -u cis490-orchestrator .*cis490-agent outbox list/,
    })
    receipt.received_at = timestamp(Date.now() - 60_000)
    writeFileSync(join(config.paths.state, 'receipts.jsonl'), `${JSON.stringify(receipt)}\n`)
    expect((await examined(config, codes))['last-receipt']?.outcome).toBe('pass')
  })
})

test('an episode that this user cannot read is a fail, one that it cannot delete a warning', async ({ skip }) => {
  const main = join(import.meta.dirname, '../../../packages/agent/src/main.ts')
  const nobody = { uid: 65_534, gid: 65_534, encoding: 'utf8' } as const
  if (process.getuid?.() !== 0) skip('only root can become somebody else')
  if (spawnSync('cat', [main], nobody).status !== 0) skip('nobody else can read this checkout')
  const config = lonely()
  const folder = join(config.paths.episodes, 'ep-1')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'data'), '')
  chmodSync(join(config.paths.episodes, '..'), 0o755)
  chmodSync(join(folder, 'data'), 0o600)
  const file = join(config.paths.episodes, '..', 'lab-host.toml')
  writeFileSync(
    file,
    `[receiver]\nurl = "https://127.0.0.1:1"\n[paths]\nepisodes = "${config.paths.episodes}"\nstate = "/nowhere"\n`,
  )
  const asNobody = (only: string) => {
    const args = [main, 'doctor', '--only', only, '--json', '--config', file]
    const { stdout, status } = spawnSync(process.execPath, args, nobody)
    return { status, ...(JSON.parse(stdout) as object) }
  }
  expect(asNobody('episodes-deletable')).toMatchObject({
    status: 0,
    results: [{ outcome: 'warn', text: text(/^2 folders .*no right to write/), remedy: text(/setfacl -R -m u:cis490:rwX/) }],
  })
  expect(asNobody('episodes-*')).toMatchObject({
    status: 1,
    results: [
      {
        code: 'episodes-readable',
        outcome: 'fail',
        text: text(/1 episode that this user cannot read, first ep-1/),
        remedy: text(/chmod -R g\+rX/),
      },
      { code: 'episodes-deletable', outcome: 'skip' },
    ],
  })
})
