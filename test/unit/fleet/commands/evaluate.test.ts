import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AlertRow } from '@cis490/shared/alert.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const program = fileURLToPath(new URL('../../../../packages/fleet/bin/cis490-fleet', import.meta.url))
let dir: string
let config: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fleet-cli-'))
  config = join(dir, 'fleet.toml')
  writeFileSync(config, `state_dir = "${dir}"\n`)
})
afterEach(() => rmSync(dir, { recursive: true }))

function run(args: string[], env: Record<string, string> = {}) {
  const { JOURNAL_STREAM: _, ...inherited } = process.env
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: { ...inherited, ...env } })
  return { status, stdout, stderr }
}
const evaluateAt = (clock: string, ...more: string[]) =>
  run(['evaluate', '--config', config, '--at', `2026-11-21T${clock}Z`, ...more])
const write = (file: string, ...rows: (object | string)[]) =>
  appendFileSync(join(dir, file), rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join(''))
const accepted = (host: string, clock: string, more = {}) => ({
  id: `e-${clock.replaceAll(':', '')}`,
  host,
  sha256: 'a'.repeat(64),
  bytes: 10,
  commit: 'b'.repeat(40),
  received_at: `2026-11-21T${clock}.000Z`,
  ...more,
})
const refused = (host: string, clock: string, status: number, code: string) => ({
  at: `2026-11-21T${clock}.000Z`,
  host,
  id: 'e1',
  status,
  code,
})
const alerts = () =>
  readFileSync(join(dir, 'alerts.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => AlertRow.parse(JSON.parse(line)))
const told = () => alerts().map((row) => `${row.at.slice(11, 16)} ${row.host} ${row.symptom} ${row.state}`)

describe('evaluate --at', () => {
  test('a silent host: one line, one warning, none again in the hour, one more after an hour, and a resolve', () => {
    write('index.jsonl', accepted('lab-01', '09:00:00'), accepted('lab-02', '09:57:00'))
    const first = evaluateAt('09:58:00')
    expect(first.status).toBe(0)
    expect(first.stderr.trim().split('\n')).toHaveLength(1)
    expect(JSON.parse(first.stderr)).toMatchObject({ level: 'warn', priority: 4, host: 'lab-01', symptom: 'silent' })
    expect(JSON.parse(first.stderr).text).toContain('58 min')
    expect(first.stdout).toContain('sudo cis490-agent doctor')

    write('index.jsonl', accepted('lab-02', '10:50:00'))
    for (const clock of ['09:59:00', '10:00:00']) expect(evaluateAt(clock)).toMatchObject({ status: 0, stderr: '' })
    evaluateAt('10:58:00')
    write('index.jsonl', accepted('lab-01', '11:10:00'), accepted('lab-02', '11:10:00'))
    const last = evaluateAt('11:15:00')
    expect(last.stdout).toContain('no symptoms')
    expect(told()).toEqual(['09:58 lab-01 silent firing', '10:58 lab-01 silent firing', '11:15 lab-01 silent resolved'])
    expect(alerts().at(-1)?.duration_s).toBe(77 * 60)
  })

  test('a fatal-only and silent host has one line, which lists what it inhibits and says what to do', () => {
    write('index.jsonl', accepted('lab-01', '08:00:00'))
    write('rejects.jsonl', refused('lab-01', '09:50:00', 412, 'commit-not-in-window'))
    evaluateAt('10:00:00')
    expect(told()).toEqual(['10:00 lab-01 fatal-only firing'])
    expect(alerts()[0]?.inhibits).toEqual(['silent'])
    expect(alerts()[0]?.remedy).toContain('cd /opt/cis490 && sudo -u cis490 git pull origin main')
  })

  test('an unstamped host, old code that the gate let in', () => {
    write('index.jsonl', accepted('lab-01', '09:50:00', { commit: undefined }))
    evaluateAt('10:00:00')
    expect(told()).toEqual(['10:00 lab-01 unstamped firing'])
  })

  test('back-filled rows, rows of older receivers without host, and rows from after the moment are no activity', () => {
    write(
      'index.jsonl',
      accepted('lab-01', '09:00:00', { backfilled: true }),
      { id: 'old' },
      accepted('lab-02', '10:00:01', { commit: undefined }),
    )
    expect(evaluateAt('10:00:00', '--json')).toMatchObject({ status: 0, stderr: '' })
    expect(JSON.parse(evaluateAt('10:00:00', '--json').stdout)).toMatchObject({
      at: '2026-11-21T10:00:00.000Z',
      hosts: [],
      alerts: [],
      symptoms: [],
    })
  })

  test('the time in which the receiver was away is taken off', () => {
    mkdirSync(join(dir, 'events'))
    write('index.jsonl', accepted('lab-01', '09:00:00'))
    write(
      'events/receiver.jsonl',
      { at: '2026-11-21T09:05:00.000Z', event: 'down' },
      { at: '2026-11-21T09:45:00.000Z', event: 'up' },
    )
    for (let minute = 46; minute < 60; minute += 1)
      write('events/receiver.jsonl', { at: `2026-11-21T09:${minute}:00.000Z`, event: 'alive' })
    expect(evaluateAt('10:00:00').stdout).toContain('no symptoms')
  })

  test('three hosts at once are one alert of the fleet', () => {
    write(
      'index.jsonl',
      ...['lab-01', 'lab-02', 'lab-03'].map((host) => accepted(host, '09:00:00')),
      accepted('lab-04', '09:55:00'),
    )
    evaluateAt('10:00:00')
    expect(told()).toEqual(['10:00 * silent firing'])
    expect(alerts()[0]).toMatchObject({ severity: 'critical', evidence: { hosts: ['lab-01', 'lab-02', 'lab-03'] } })
  })

  test.each([
    ['a host', ['lab-01']],
    ['a whole fleet', ['lab-01', 'lab-02', 'lab-03']],
  ])('%s that is quiet for longer than a day is not called well again', (_sentence, hosts) => {
    write('index.jsonl', ...hosts.map((host) => accepted(host, '09:00:00')))
    evaluateAt('10:00:00')
    expect(run(['evaluate', '--config', config, '--at', '2026-11-22T11:00:00Z'])).toMatchObject({ status: 0, stderr: '' })
    expect(told()).toHaveLength(1)
    write('index.jsonl', ...hosts.map((host) => accepted(host, '00:00:00', { received_at: '2026-11-22T11:30:00Z' })))
    run(['evaluate', '--config', config, '--at', '2026-11-22T12:00:00Z'])
    expect(alerts().at(-1)).toMatchObject({ state: 'resolved', duration_s: 26 * 3600 })
  })

  test('torn, hostile and binary lines are skipped and counted', () => {
    write(
      'index.jsonl',
      '{"id":"torn',
      '\0\0\0\0',
      '[1]',
      '{"host":"../../etc","id":"x","received_at":"2026-11-21T09:00:00Z"}',
      accepted('lab-01', '09:00:00'),
    )
    write('rejects.jsonl', '{"host":"lab-01","at":"2026-11-21T09:00:00Z","status":"\u001b[2J"}')
    const { status, stdout } = evaluateAt('10:00:00', '--json')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ skipped_lines: 5, symptoms: [{ host: 'lab-01', symptom: 'silent' }] })
  })

  test('leaves the live checkpoint alone', () => {
    evaluateAt('10:00:00')
    expect(() => statSync(join(dir, 'facts'))).toThrow(/ENOENT/)
  })
})

describe('evaluate now', () => {
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
  const live = () => run(['evaluate', '--config', config, '--json'])

  test('remembers where it was, and does not fire again when the checkpoint is lost', () => {
    write('index.jsonl', accepted('lab-01', '00:00:00', { received_at: minutesAgo(45) }))
    expect(JSON.parse(live().stdout).alerts).toHaveLength(1)
    const path = join(dir, 'facts', 'evaluate.json')
    expect(JSON.parse(readFileSync(path, 'utf8')).cursors['index.jsonl'].offset).toBe(statSync(join(dir, 'index.jsonl')).size)
    expect(JSON.parse(live().stdout).alerts).toEqual([])
    rmSync(path)
    expect(JSON.parse(live().stdout).alerts).toEqual([])
    writeFileSync(path, '{"version":1,')
    expect(JSON.parse(live().stdout).alerts).toEqual([])
    write('index.jsonl', accepted('lab-01', '00:00:00', { received_at: minutesAgo(1) }))
    expect(JSON.parse(live().stdout).alerts).toMatchObject([{ host: 'lab-01', state: 'resolved' }])
  })

  test('under the journal the warning carries its priority', () => {
    write('index.jsonl', accepted('lab-01', '00:00:00', { received_at: minutesAgo(45) }))
    const path = join(dir, 'journal')
    const fd = openSync(path, 'w')
    const { dev, ino } = fstatSync(fd, { bigint: true })
    const env = { ...process.env, JOURNAL_STREAM: `${dev}:${ino}` }
    spawnSync(program, ['evaluate', '--config', config], { env, stdio: ['ignore', 'ignore', fd] })
    closeSync(fd)
    expect(readFileSync(path, 'utf8')).toMatch(/^<4>\{.*"host":"lab-01".*\}\n$/)
  })

  test('while another holds the lock it says so and is content', () => {
    using lock = takeLock(join(dir, 'fleet.lock'))
    expect(lock).toBeDefined()
    expect(run(['evaluate', '--config', config])).toMatchObject({ status: 0, stdout: 'serve evaluates\n' })
  })
})

describe('mistakes', () => {
  test.each<[string, (path: string) => string[], number, RegExp]>([
    ['a time that is none', (path) => ['evaluate', '--config', path, '--at', 'noon'], 2, /--at "noon" is no time/],
    ['no configuration', () => ['evaluate', '--config', '/nonexistent/fleet.toml'], 78, /cannot read the configuration/],
    ['an unknown option', (path) => ['evaluate', '--config', path, '--when', 'now'], 2, /unknown option/],
  ])('%s', (_sentence, args, status, message) => {
    const result = run(args(config))
    expect(result.status).toBe(status)
    expect(result.stderr).toMatch(message)
    expect(result.stderr).not.toContain(' at ')
  })

  test.each<[string, string, RegExp]>([
    ['an unknown key', 'state_dri = "/x"\n', /fleet\.toml:1: unknown key state_dri/],
    ['a duration without unit', '[monitor]\nsilent_after = "30"\n', /fleet\.toml:2: monitor\.silent_after/],
    ['limits that contradict each other', '[monitor]\nactive_within = "10m"\n', /active_within must be longer than silent_after/],
  ])('%s is a bad configuration', (_sentence, text, message) => {
    writeFileSync(config, text)
    const result = run(['check-config', '--config', config])
    expect(result.status).toBe(78)
    expect(result.stderr).toMatch(message)
  })

  test('a state folder that is not there: one line, could not determine', () => {
    writeFileSync(config, 'state_dir = "/nonexistent/state"\n')
    const { status, stderr } = run(['evaluate', '--config', config])
    expect(status).toBe(3)
    expect(stderr).toMatch(/^cis490-fleet: cannot use state_dir \/nonexistent\/state: .*\n$/)
  })

  test('an index that cannot be read: one line with its name, could not determine', () => {
    mkdirSync(join(dir, 'index.jsonl'))
    const { status, stderr } = run(['evaluate', '--config', config])
    expect(status).toBe(3)
    expect(stderr).toMatch(/^cis490-fleet: cannot read .*index\.jsonl: .*\n$/)
  })
})

test('check-config prints a configuration that parses to the same', () => {
  writeFileSync(config, '[monitor]\nsilent_after = "90m"\n')
  const { status, stdout } = run(['check-config', '--config', config])
  expect(status).toBe(0)
  expect(stdout).toContain('silent_after = "90m"')
  writeFileSync(config, stdout)
  expect(run(['check-config', '--config', config]).stdout).toBe(stdout)
})
