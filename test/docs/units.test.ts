import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
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

describe.each(services)('%s', (unit) => {
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
  })
})

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

test.skipIf(!analyze)('systemd accepts every unit', async () => {
  mkdirSync(folder, { recursive: true })
  for (const unit of units) writeFileSync(join(folder, unit), read(`etc/systemd/${unit}`).replaceAll(checkout, root))
  const { stderr } = await run('systemd-analyze', ['verify', '--man=no', ...units.map((unit) => join(folder, unit))])
  expect(stderr.split('\n').filter((line) => line.includes('cis490'))).toEqual([])
})
