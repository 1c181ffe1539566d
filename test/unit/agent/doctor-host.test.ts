/** What the doctor finds on the host itself, with each thing broken for real. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { describe, expect, test } from 'vitest'
import { hostChecks } from '../../../packages/agent/src/commands/host-checks.ts'
import type { AgentConfig } from '../../../packages/agent/src/config.ts'
import { cleanTree } from '../../../packages/agent/src/doctor/checks/commit.ts'
import { pressure, runtime, watchLimit } from '../../../packages/agent/src/doctor/checks/machine.ts'
import { timers } from '../../../packages/agent/src/doctor/checks/services.ts'
import { selectChecks } from '../../../packages/agent/src/doctor/select.ts'
import { parseUnits } from '../../../packages/agent/src/doctor/systemd.ts'
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
  const shownTime = (ms: number) => new Date(ms).toISOString().replace('T', ' ').replace(/\..*/, ' UTC')
  const at = (ms: number) => `LoadState=loaded\nActiveState=active\nLastTriggerUSec=Sat ${shownTime(ms)}`
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
