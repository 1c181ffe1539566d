import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { exposureOf, limitOf, withoutReason } from '../../scripts/units/exposure.ts'
import { read, root } from './documents.ts'

const run = promisify(execFile)
const checkout = '/opt/cis490'
const units = readdirSync(`${root}/etc/systemd`)
const services = units.filter((name) => name.endsWith('.service'))
const timers = units.filter((name) => name.endsWith('.timer'))

const folder = mkdtempSync(join(tmpdir(), 'cis490-units-'))
afterAll(() => rmSync(folder, { recursive: true }))

function values(unit: string, key: string): string[] {
  return [...read(`etc/systemd/${unit}`).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map((match) => match[1] as string)
}

/** They replace the program: they are no part of it, and root's. */
const updaters = services.filter((name) => name.includes('-autoupdate'))

describe.each(services.filter((name) => !updaters.includes(name)))('%s', (unit) => {
  const [program, ...words] = (values(unit, 'ExecStart')[0] ?? '').split(' ')

  test('starts a command that exists, with options that it knows', async () => {
    expect(program).toMatch(/^\/opt\/cis490\/packages\/\w+\/bin\/cis490-\w+$/)
    const { stdout } = await run((program as string).replace(checkout, root), [words[0] as string, '--help'])
    expect(stdout).toMatch(new RegExp(`^Usage: \\S+ ${words[0]}\\b`))
    for (const option of words.filter((word) => word.startsWith('--'))) expect(stdout).toContain(option)
  })

  test('is hardened, runs as cis490, and is not restarted over a bad configuration', () => {
    expect(values(unit, 'User')).toEqual(['cis490'])
    expect(values(unit, 'ProtectSystem')).toEqual(['strict'])
    expect(values(unit, 'NoNewPrivileges')).toEqual(['yes'])
    expect(values(unit, 'CapabilityBoundingSet')).toEqual([''])
    if (values(unit, 'Restart').length > 0) expect(values(unit, 'RestartPreventExitStatus')).toEqual(['78'])
    expect(values(unit, 'Environment')).toEqual(['NODE_COMPILE_CACHE=%C/cis490'])
    expect(values(unit, 'CacheDirectory')).toEqual(['cis490'])
  })

  test('is a daemon that says when it is ready and that it is well, or runs once', () => {
    const daemon = ['run', 'serve'].includes(words[0] as string)
    expect(values(unit, 'Type')).toEqual([daemon ? 'notify' : 'oneshot'])
    // A child carries the words.
    expect(values(unit, 'NotifyAccess')).toEqual(daemon ? ['all'] : [])
    expect(values(unit, 'WatchdogSec')).toEqual(daemon ? ['3min'] : [])
  })
})

describe.each(updaters)('%s', (unit) => {
  test('runs the script that the installer puts apart from the checkout, and no part of the checkout', () => {
    for (const line of [...values(unit, 'ExecStart'), ...values(unit, 'ExecStopPost')])
      expect(line).toMatch(/^\/usr\/local\/lib\/cis490\/autoupdate\.sh( repair)?$/)
    expect(read('scripts/install/checkout.sh')).toContain('updater=/usr/local/lib/cis490')
  })

  test('is hardened, runs once, gives no folder of cis490 to root, and a refusal is no failure of the unit', () => {
    expect(values(unit, 'Type')).toEqual(['oneshot'])
    expect([values(unit, 'ProtectSystem'), values(unit, 'NoNewPrivileges')]).toEqual([['strict'], ['yes']])
    expect([values(unit, 'StateDirectory'), values(unit, 'CacheDirectory')]).toEqual([[], []])
    expect(values(unit, 'SuccessExitStatus')).toEqual(['1 3'])
  })
})

test('an updater that is ended in the middle was killed before agent and receiver had stopped', () => {
  const seconds = (unit: string) => {
    const [, number, minutes] = /^(\d+)(min)?$/.exec(values(unit, 'TimeoutStopSec')[0] ?? '') ?? []
    return Number(number) * (minutes ? 60 : 1)
  }
  expect(seconds('cis490-autoupdate.service')).toBeGreaterThan(
    seconds('cis490-orchestrator.service') + seconds('cis490-receiver.service') + 60,
  )
})

test('what a power cut left half done is undone before the daemon starts, and a receiver beside it', () => {
  const before = values('cis490-autoupdate-repair.service', 'Before').join(' ')
  expect(before).toMatch(/\bcis490-orchestrator\.service\b/)
  expect(before).toMatch(/\bcis490-receiver\.service\b/)
  expect(values('cis490-autoupdate-repair.service', 'WantedBy')).toEqual(['multi-user.target'])
})

test.each(updaters)(
  '%s could not make the folder of the new tree: root without CAP_FOWNER gives it away before it sets its mode',
  (unit) => {
    expect(values(unit, 'CapabilityBoundingSet')).toEqual(['CAP_SETUID CAP_SETGID CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER'])
  },
)

test.each(timers)('%s starts a service of ours', (timer) => {
  expect(services).toContain(timer.replace('.timer', '.service'))
  expect(values(timer, 'WantedBy')).toEqual(['timers.target'])
})

const analyze = (() => {
  try {
    execFileSync('systemd-analyze', ['--version'])
    return true
  } catch {
    return false
  }
})()

describe.skipIf(!analyze)('by systemd-analyze', () => {
  test.each(services)('%s leaves no more open than it may, and says why', async (unit) => {
    const { exposure, limit, unexplained } = await exposureOf(`${root}/etc/systemd/${unit}`)
    expect(exposure).toBeLessThanOrEqual(limit)
    expect(unexplained).toEqual([])
  })

  test('a unit that is not hardened is over every limit', async () => {
    const plain = join(folder, 'cis490-plain.service')
    writeFileSync(plain, '[Service]\nExecStart=/bin/true\n')
    const { exposure, open, unexplained } = await exposureOf(plain)
    expect(exposure).toBeGreaterThan(limitOf('cis490-doctor-check.service'))
    expect(open).toContain('ProtectSystem')
    expect(unexplained).toEqual(open)
  })

  test('systemd accepts every unit', async () => {
    mkdirSync(folder, { recursive: true })
    for (const unit of units)
      writeFileSync(
        join(folder, unit),
        read(`etc/systemd/${unit}`).replaceAll(checkout, root).replaceAll('/usr/local/lib/cis490', `${root}/scripts`),
      )
    const { stderr } = await run('systemd-analyze', ['verify', '--man=no', ...units.map((unit) => join(folder, unit))])
    expect(stderr.split('\n').filter((line) => line.includes('cis490'))).toEqual([])
  })
})

test('the daemons, and whatever is not named, may leave 1.5 of 10 open; what runs checks of the site, or replaces what the daemon uses, 4', () => {
  const judged = services.map((unit) => `${unit} ${limitOf(unit)}`)
  expect(judged).toEqual(
    services.map((unit) => `${unit} ${/-(doctor-check|autoupdate|autoupdate-repair|cert-fetch)\./.test(unit) ? 4 : 1.5}`),
  )
})

test('a reason stands in a comment, behind the name and a colon', () => {
  const text = '# UMask: the group reads.\nProtectHome=no\n# PrivateNetwork\n'
  expect(withoutReason(text, ['UMask', 'ProtectHome', 'PrivateNetwork'])).toEqual(['ProtectHome', 'PrivateNetwork'])
})
