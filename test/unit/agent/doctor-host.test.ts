/** What the doctor finds on the host itself, with each thing broken for real. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, statfsSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { describe, expect, test } from 'vitest'
import { takePosition } from '../../../packages/agent/src/commands/examine.ts'
import { hostChecks } from '../../../packages/agent/src/commands/host-checks.ts'
import type { AgentConfig } from '../../../packages/agent/src/config.ts'
import { daysUntilFull, keepSamples } from '../../../packages/agent/src/core/disk-trend.ts'
import { certificateInUse } from '../../../packages/agent/src/doctor/checks/certificate.ts'
import { cleanTree } from '../../../packages/agent/src/doctor/checks/commit.ts'
import { freeNow } from '../../../packages/agent/src/doctor/checks/disk-trend.ts'
import { pressure, runtime, watchLimit } from '../../../packages/agent/src/doctor/checks/machine.ts'
import { timers } from '../../../packages/agent/src/doctor/checks/services.ts'
import { addFreeSample, readFreeHistory } from '../../../packages/agent/src/doctor/disk-history.ts'
import { selectChecks } from '../../../packages/agent/src/doctor/select.ts'
import { parseUnits } from '../../../packages/agent/src/doctor/systemd.ts'
import { examined, hostConfig } from '../../support/examined.ts'
import { GitRepo } from '../../support/git-repo.ts'
import { makePki } from '../../support/pki.ts'
import { runToEnd } from '../../support/program.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fillUp, testOnTinyDisk, tinyDisk } from '../../support/tiny-disk.ts'

const signal = new AbortController().signal
const day = 86_400_000
const text = (pattern: RegExp) => expect.stringMatching(pattern) as string
const lonely = (more: Partial<AgentConfig['paths']> = {}) => {
  const config = hostConfig({ url: 'https://127.0.0.1:1' }, { host: { name: 'lab-07' } })
  return { ...config, paths: { ...config.paths, ...more } }
}

describe('the set of checks', () => {
  test('every code is there once, every root exists and stands in no circle, every check has a remedy', async () => {
    const checks = await hostChecks({ config: lonely(), configFile: 'x', now: Date.now })
    const codes = checks.map(({ code }) => code)
    expect(new Set(codes).size).toBe(codes.length)
    const roots = new Map(checks.map(({ code, depends_on }) => [code, depends_on]))
    const above = (code: string, path: readonly string[]): void => {
      expect(path, code).not.toContain(code)
      const needed = roots.get(code)
      if (needed === undefined) throw new Error(`${path.at(-1)} depends on ${code}, which is no check`)
      for (const root of needed) above(root, [...path, code])
    }
    for (const code of codes) above(code, [])
    for (const { remedy, timeout } of checks) expect([remedy.length > 5, timeout > 0]).toEqual([true, true])
  })

  test('a wish that names no check is told the one that is meant', async () => {
    const checks = await hostChecks({ config: lonely(), configFile: 'x', now: Date.now })
    const codes = (only: string[], skip: string[]) => {
      const found = selectChecks(checks, { only, skip })
      return typeof found === 'string' ? found : found.map(({ code }) => code)
    }
    expect(codes(['receiver-*'], ['receiver-tls'])).toEqual(['receiver-resolves', 'receiver-connects', 'receiver-authorises'])
    expect(codes([], ['inode'])).toContain('there is no check "inode"; did you mean inodes?')
    expect(codes(['disk'], ['disk'])).toBe('no check is left to run')
  })
})

describe('the program', () => {
  test('a broken configuration is a finding that hides all others; one line and 2 for monitoring', async () => {
    const path = join(scratchDir(), 'lab-host.toml')
    writeFileSync(path, '[receiver]\nurl = "https://127.0.0.1:1"\n[ship]\nrescann = "5s"\n')
    const [json, nagios, alone, wrong] = await Promise.all([
      runToEnd('agent', ['doctor', '--json', '--config', path]),
      runToEnd('agent', ['doctor', '--nagios', '--config', path]),
      runToEnd('agent', ['doctor', '--only', 'disk', '--config', path]),
      runToEnd('agent', ['doctor', '--only', 'dsk', '--config', path]),
    ])
    const { results } = JSON.parse(json.stdout) as { results: { code: string; outcome: string; remedy?: string }[] }
    expect(results.filter(({ outcome }) => outcome !== 'skip')).toMatchObject([
      {
        code: 'configuration',
        outcome: 'fail',
        text: text(/:4: unknown key ship.rescann; did you mean ship.rescan\?/),
        remedy: text(/sudoedit/),
      },
    ])
    expect([json.code, json.stderr]).toEqual([1, ''])
    expect(nagios).toMatchObject({
      code: 2,
      stderr: '',
      stdout: text(/^CRITICAL - configuration: .* \| fail=1 unknown=0 warn=0\n$/),
    })
    expect(alone.code).toBe(78)
    expect(wrong).toMatchObject({ code: 2, stdout: '', stderr: text(/did you mean disk\?/) })
  })
})

describe('code and identity', () => {
  test('a file that differs from the commit is a warning that names it', async () => {
    const dir = scratchDir()
    const repo = new GitRepo(dir)
    writeFileSync(join(dir, 'agent.ts'), 'one\n')
    repo.run('add', 'agent.ts')
    repo.commit()
    expect(await cleanTree(dir).run(signal)).toMatchObject({ outcome: 'pass' })
    writeFileSync(join(dir, 'notes.txt'), 'untracked files run nothing')
    expect(await cleanTree(dir).run(signal)).toMatchObject({ outcome: 'pass' })
    writeFileSync(join(dir, 'agent.ts'), 'two\n')
    expect(await cleanTree(dir).run(signal)).toMatchObject({
      outcome: 'warn',
      text: text(/1 file of .* changed, first agent.ts/),
    })
    expect(cleanTree(dir).remedy).toContain(`git -C ${dir} diff`)
    expect(await cleanTree(scratchDir()).run(signal)).toMatchObject({ outcome: 'skip' })
  })

  test('a certificate on disk that is newer than the one in use is a warning', async () => {
    const { host } = await makePki(scratchDir())
    const { X509Certificate } = await import('node:crypto')
    const ends = new X509Certificate(host.certPem).validToDate.getTime()
    const judge = (used: string | undefined) => certificateInUse(host.certFile, async () => used).run(signal)
    expect(await judge(timestamp(ends))).toMatchObject({ outcome: 'pass' })
    expect(await judge(timestamp(ends - day))).toMatchObject({ outcome: 'warn', text: text(/on disk is a newer one/) })
    expect(await judge(undefined)).toMatchObject({ outcome: 'skip' })
  })
})

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
      return (await examined(config, ['disk-trend']))['disk-trend']
    }
    expect(await judge(free / 10)).toMatchObject({
      outcome: 'warn',
      text: text(/is full in (9|10) days/),
      remedy: text(/du -xh/),
    })
    writeFileSync(join(config.paths.state, 'disk.json'), 'not written to its end')
    expect(await judge(free)).toMatchObject({ outcome: 'fail', text: text(/is full in [01] days/) })
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
    for (let k = statfsSync(dir).ffree; k > 0; k--) writeFileSync(join(dir, `file-${k}`), '')
    expect(await examined(config, ['inodes', 'disk'])).toMatchObject({
      disk: { outcome: 'pass' },
      inodes: { outcome: 'fail', text: text(/^0 free \(0.0 %\)/), remedy: text(/df -i/) },
    })
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
    expect((await examined(config, ['episodes-readable']))['episodes-readable']).toMatchObject({
      outcome: 'warn',
      text: text(/1 name in .* first notes.txt \(not a folder\)/),
      remedy: text(/ls -la/),
    })
  })

  test('a folder that is none is a fail, and hides what follows', async () => {
    const config = lonely()
    writeFileSync(config.paths.episodes, '')
    const results = await examined(config, ['episodes-readable', 'outbox', 'watch-limit'])
    expect(results).toMatchObject({
      'episodes-readable': { outcome: 'fail', remedy: text(/chgrp cis490/) },
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
    expect((await examined(config, ['episodes-deletable']))['episodes-deletable']).toMatchObject({
      outcome: 'warn',
      text: text(/2 folders in which this user may not delete/),
      remedy: text(/setfacl/),
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
    expect(await examined(config, codes)).toMatchObject({
      'outbox-age': { outcome: 'warn', remedy: text(/outbox list/), data: { oldest_age_s: { quarantine: null } } },
      'last-receipt': {
        outcome: 'warn',
        text: text(/came 3 d ago, for ep-0, and archives have been ready for 2 d/),
        remedy: text(/journalctl/),
      },
    })
    receipt.received_at = timestamp(Date.now() - 60_000)
    writeFileSync(join(config.paths.state, 'receipts.jsonl'), `${JSON.stringify(receipt)}\n`)
    expect((await examined(config, codes))['last-receipt']?.outcome).toBe('pass')
  })
})

describe('the machine', () => {
  test('a daemon that is not at work is a warning', async () => {
    const config = lonely()
    mkdirSync(config.paths.state)
    expect((await examined(config, ['daemon']))['daemon']).toMatchObject({
      outcome: 'warn',
      remedy: text(/enable --now cis490-orchestrator/),
    })
    using _lock = takeLock(join(config.paths.state, 'agent.lock'))
    expect((await examined(config, ['daemon']))['daemon']).toMatchObject({ outcome: 'pass', text: `process ${process.pid}` })
  })

  test('too little memory, or a disk that everything waits for', async () => {
    const proc = scratchDir()
    mkdirSync(join(proc, 'pressure'))
    const set = (availableKb: number, io: number) => {
      writeFileSync(
        join(proc, 'meminfo'),
        `MemTotal:       10000 kB\nMemFree:          1 kB\nMemAvailable:   ${availableKb} kB\n`,
      )
      writeFileSync(
        join(proc, 'pressure/io'),
        `some avg10=99.00 avg60=99.00 avg300=${io} total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n`,
      )
      return pressure(proc).run(signal)
    }
    expect(await set(5000, 12.5)).toMatchObject({
      outcome: 'pass',
      perfdata: expect.arrayContaining(['io_pressure=12.5%']) as string[],
    })
    expect(await set(400, 0)).toMatchObject({ outcome: 'warn', text: text(/^400.0 KiB of/) })
    expect(await set(5000, 75)).toMatchObject({ outcome: 'warn', text: text(/waits for a disk 75 % of the time/) })
    expect(await pressure(join(proc, 'none')).run(signal)).toMatchObject({ outcome: 'skip' })
    expect(await pressure().run(signal)).toMatchObject({ data: { memory_total_bytes: expect.any(Number) as number } })
  })

  test('more folders than may be watched', async () => {
    const [proc, episodes] = [scratchDir(), scratchDir()]
    mkdirSync(join(proc, 'sys/fs/inotify'), { recursive: true })
    writeFileSync(join(proc, 'sys/fs/inotify/max_user_watches'), '8\n')
    mkdirSync(join(episodes, 'ep-1/camera'), { recursive: true })
    expect(await watchLimit(episodes, proc).run(signal)).toMatchObject({ outcome: 'pass', text: '3 of 8 watches' })
    for (const id of [2, 3, 4, 5]) mkdirSync(join(episodes, `ep-${id}`))
    expect(await watchLimit(episodes, proc).run(signal)).toMatchObject({ outcome: 'warn', text: text(/^7 of 8 watches/) })
    expect(watchLimit(episodes).remedy).toContain('fs.inotify.max_user_watches')
  })

  test.each([
    ['v20.11.1', 'fail'],
    ['v24.0.0', 'pass'],
    [process.version, 'pass'],
  ])('runtime %s', async (version, outcome) => {
    expect(await runtime(version).run(signal)).toMatchObject({ outcome, text: text(new RegExp(version)) })
  })
})

describe('timers', () => {
  const now = 1_800_000_000_000
  const unit = (id: string, fields: string) => `Id=${id}\n${fields}\n`
  const shown = (doctor: string, service = 'Result=success', update = 'LoadState=not-found\nActiveState=inactive') =>
    [
      unit('cis490-doctor-check.timer', doctor),
      unit('cis490-autoupdate.timer', update),
      unit('cis490-doctor-check.service', `LoadState=loaded\nActiveState=inactive\n${service}`),
    ].join('\n')
  const at = (ms: number) => `LoadState=loaded\nActiveState=active\nLastTriggerUSec=@${ms / 1000}`
  const judge = (output: string | undefined) =>
    timers(
      async () => (output === undefined ? undefined : parseUnits(output)),
      () => now,
    ).run(signal)

  test.each([
    ['active', shown(at(now - day)), 'pass', /^1 timer active/, /^$/],
    ['never ran yet', shown('LoadState=loaded\nActiveState=active\nLastTriggerUSec='), 'pass', /^1 timer/, /^$/],
    [
      'stopped',
      shown('LoadState=loaded\nActiveState=inactive'),
      'warn',
      /doctor-check.timer is not active/,
      /enable --now cis490-doctor-check.timer/,
    ],
    ['stands still', shown(at(now - 5 * day)), 'warn', /did not run for 5 d/, /restart cis490-doctor-check.timer/],
    [
      'its service failed',
      shown(at(now - day), 'Result=exit-code'),
      'warn',
      /last run of cis490-doctor-check.service failed/,
      /journalctl/,
    ],
    ['not installed', shown('LoadState=not-found\nActiveState=inactive'), 'warn', /is not installed/, /install-lab-host.sh/],
    [
      'one of the others stopped',
      shown(at(now - day), 'Result=success', 'LoadState=loaded\nActiveState=failed'),
      'warn',
      /autoupdate.timer is not/,
      /autoupdate/,
    ],
  ])('%s', async (_, output, outcome, said, remedy) => {
    const finding = await judge(output)
    expect(finding).toMatchObject({ outcome, text: text(said) })
    expect(finding.remedy ?? '').toMatch(remedy)
  })

  test('where no systemd is at work nothing is said', async () => {
    expect(await judge(undefined)).toMatchObject({ outcome: 'skip' })
  })
})

test('an episode that this user cannot read is a fail that names it', async ({ skip }) => {
  if (process.getuid?.() !== 0) skip('only root can become somebody else')
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
  const main = join(import.meta.dirname, '../../../packages/agent/src/main.ts')
  const args = [main, 'doctor', '--only', 'episodes-*', '--json', '--config', file]
  const { stdout, status, stderr } = spawnSync(process.execPath, args, { uid: 65_534, gid: 65_534, encoding: 'utf8' })
  expect(stderr).toBe('')
  expect({ status, ...(JSON.parse(stdout) as object) }).toMatchObject({
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
