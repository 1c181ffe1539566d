/** What the doctor finds on the host itself, with each thing broken for real. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import type { HostReport } from '@cis490/shared/report.ts'
import { describe, expect, test } from 'vitest'
import { hostChecks } from '../../../packages/agent/src/commands/host-checks.ts'
import type { AgentConfig } from '../../../packages/agent/src/config.ts'
import { cleanTree } from '../../../packages/agent/src/doctor/checks/commit.ts'
import { pressure, runtime, watchLimit } from '../../../packages/agent/src/doctor/checks/machine.ts'
import { timers } from '../../../packages/agent/src/doctor/checks/services.ts'
import { selectChecks } from '../../../packages/agent/src/doctor/select.ts'
import { parseUnits } from '../../../packages/agent/src/doctor/systemd.ts'
import { expectBroken, runOne } from '../../support/broken.ts'
import { examined, hostConfig } from '../../support/examined.ts'
import { GitRepo } from '../../support/git-repo.ts'
import { runToEnd } from '../../support/program.ts'
import { scratchDir } from '../../support/scratch.ts'

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

  test('without a usable configuration nothing but it is looked at, whichever checks are left out', async () => {
    const checks = await hostChecks({ config: lonely(), configFile: 'x', mistake: 'x:1: no', now: Date.now })
    const [first, ...others] = checks.map(({ code, depends_on }) => ({ code, hidden: depends_on.includes('configuration') }))
    expect(first).toEqual({ code: 'configuration', hidden: false })
    expect(others.filter(({ hidden }) => !hidden)).toEqual([])
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
    const [json, nagios, alone] = await Promise.all([
      runToEnd('agent', ['doctor', '--json', '--config', path]),
      runToEnd('agent', ['doctor', '--nagios', '--config', path]),
      runToEnd('agent', ['doctor', '--only', 'disk', '--config', path]),
    ])
    const { results } = JSON.parse(json.stdout) as HostReport
    const found = results.filter(({ outcome }) => outcome !== 'skip')
    expect(found).toHaveLength(1)
    expectBroken(Object.fromEntries(found.map((result) => [result.code, result])), {
      breaks: 'configuration',
      outcome: 'fail',
      text: /:4: unknown key ship.rescann; did you mean ship.rescan\?/,
      remedy: /^sudoedit .*lab-host.toml; cis490-agent check-config --config .*lab-host.toml/,
    })
    expect([json.code, json.stderr]).toEqual([1, ''])
    expect(nagios).toMatchObject({
      code: 2,
      stderr: '',
      stdout: text(/^CRITICAL - configuration: .* \| fail=1 unknown=0 warn=0\n$/),
    })
    expect(alone.code).toBe(78)
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
    expectBroken(await runOne(cleanTree(dir)), {
      breaks: 'tree',
      outcome: 'warn',
      text: /1 file of .* changed, first agent.ts/,
      remedy: /^git -C \S+ diff .*git -C \S+ restore /,
    })
    expect(await cleanTree(scratchDir()).run(signal)).toMatchObject({ outcome: 'skip' })
  })
})

describe('the machine', () => {
  test('a daemon that is not at work is a warning', async () => {
    const config = lonely()
    mkdirSync(config.paths.state)
    expectBroken(await examined(config, ['daemon']), {
      breaks: 'daemon',
      outcome: 'warn',
      text: /^nothing ships by itself/,
      remedy: /enable --now cis490-orchestrator/,
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
    await set(5000, 75)
    expectBroken(await runOne(pressure(proc)), {
      breaks: 'pressure',
      outcome: 'warn',
      text: /waits for a disk 75 % of the time/,
      remedy: /^ps -eo .*iotop/,
    })
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
    expectBroken(await runOne(watchLimit(episodes, proc)), {
      breaks: 'watch-limit',
      outcome: 'warn',
      text: /^7 of 8 watches/,
      remedy: /fs.inotify.max_user_watches=\d+ \| sudo tee/,
    })
  })

  test('a runtime that is too old', async () => {
    for (const version of ['v24.0.0', process.version])
      expect(await runtime(version).run(signal)).toMatchObject({ outcome: 'pass', text: text(new RegExp(version)) })
    const old = await runOne(runtime('v20.11.1'))
    expectBroken(old, { breaks: 'runtime', outcome: 'fail', text: /v20.11.1 is older than v24/, remedy: /install Node 24/ })
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
  const shownTime = (ms: number) => new Date(ms).toISOString().replace('T', ' ').replace(/\..*/, ' UTC')
  const at = (ms: number) => `LoadState=loaded\nActiveState=active\nLastTriggerUSec=Sat ${shownTime(ms)}`
  const judge = async (output: string | undefined) => {
    const units = output === undefined ? undefined : parseUnits(output)
    return await runOne(
      timers(
        async () => units,
        () => now,
      ),
    )
  }

  test.each([
    [
      'stopped',
      shown('LoadState=loaded\nActiveState=inactive'),
      /doctor-check.timer is not active/,
      /enable --now cis490-doctor-check.timer/,
    ],
    ['stands still', shown(at(now - 5 * day)), /did not run for 5 d/, /restart cis490-doctor-check.timer/],
    [
      'its service failed',
      shown(at(now - day), 'Result=exit-code'),
      /last run of cis490-doctor-check.service failed/,
      /journalctl/,
    ],
    ['not installed', shown('LoadState=not-found\nActiveState=inactive'), /is not installed/, /install-lab-host.sh/],
    [
      'one of the others stopped',
      shown(at(now - day), 'Result=success', 'LoadState=loaded\nActiveState=failed'),
      /autoupdate.timer is not/,
      /autoupdate/,
    ],
  ])('%s', async (_, output, said, remedy) => {
    expectBroken(await judge(output), { breaks: 'timers', outcome: 'warn', text: said, remedy })
  })

  test.each([
    ['active', shown(at(now - day))],
    ['never ran yet', shown('LoadState=loaded\nActiveState=active\nLastTriggerUSec=')],
  ])('%s', async (_, output) => {
    expect((await judge(output))['timers']).toMatchObject({ outcome: 'pass', text: text(/^1 timer active/) })
  })

  test('where no systemd is at work nothing is said', async () => {
    expect((await judge(undefined))['timers']).toMatchObject({ outcome: 'skip' })
  })
})
