/** Checks of the site's own, as real executables. */
import { spawnSync } from 'node:child_process'
import { chmodSync, createReadStream, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { perfdataIn, readPluginOutput, withPrefix } from '../../../packages/agent/src/doctor/plugin.ts'
import { runChecks } from '../../../packages/agent/src/doctor/run-checks.ts'
import { siteChecks } from '../../../packages/agent/src/doctor/site-checks.ts'
import { scratchDir } from '../../support/scratch.ts'

function folder(scripts: Record<string, string>, mode = 0o755): string {
  const dir = scratchDir()
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(dir, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(dir, name), mode)
  }
  return dir
}

const run = async (dir: string, timeout = 30_000) =>
  (await runChecks((await siteChecks(dir)).map((check) => ({ ...check, timeout })))).map(
    ({ code, outcome, text, data, remedy }) => ({
      ...{ code, outcome, text, remedy },
      perfdata: data['perfdata'],
    }),
  )

test('exit codes are outcomes, the first line is the text, performance data goes on', async () => {
  const dir = folder({
    a: 'echo "OK - fine|load=0.5;1;2 time=3ms"',
    b: 'echo "WARNING - hm"; echo more; exit 1',
    c: 'echo "CRITICAL - no"; exit 2',
    d: 'echo "UNKNOWN - ?"; exit 3',
    e: 'echo odd; exit 7',
    f: 'echo "it is broken" >&2; exit 2',
    g: 'kill -9 $$',
  })
  expect(await run(dir)).toMatchObject([
    { code: 'site/a', outcome: 'pass', text: 'OK - fine', perfdata: 'a_load=0.5;1;2 a_time=3ms' },
    { outcome: 'warn', text: 'WARNING - hm', remedy: `run it by hand and see what it says: sudo -u cis490 ${dir}/b` },
    { outcome: 'fail', text: 'CRITICAL - no' },
    { outcome: 'unknown', text: 'UNKNOWN - ?' },
    { outcome: 'unknown', text: 'it ended with 7, which no plugin does: odd' },
    { outcome: 'fail', text: 'it is broken' },
    { outcome: 'unknown', text: 'SIGKILL ended it, which no plugin does: it said nothing' },
  ])
})

test('what does not end is unknown, and goes with its children', { timeout: 10_000 }, async () => {
  const pipe = join(scratchDir(), 'pipe')
  spawnSync('mkfifo', [pipe])
  // The pipe ends when the last of them that writes to it is gone.
  const ended = text(createReadStream(pipe))
  const checks = folder({ slow: `sleep 60 > ${pipe} & wait` })
  const [result] = await run(checks, 500)
  expect(result).toMatchObject({ outcome: 'unknown', text: 'no result within 0.5 s' })
  expect(await ended).toBe('')
})

test('a plugin that ended, and left something running that held its output, ended the doctor', async () => {
  const dir = folder({ 'left behind': 'setsid sleep 2 & echo "OK - fine | age=3s"' })
  const [ended, late] = await Promise.all([run(dir), run(dir, 200)])
  expect(ended).toMatchObject([{ outcome: 'pass', text: 'OK - fine', perfdata: 'left_behind_age=3s' }])
  expect(late).toMatchObject([{ outcome: 'unknown', text: 'no result within 0.2 s' }])
})

test('what others can change is not run, nor what is not executable; what packages leave behind is no check', async () => {
  const marker = join(scratchDir(), 'ran')
  const dir = folder({ open: `touch ${marker}` }, 0o757)
  for (const name of ['.hidden', 'x~', 'x.dpkg-old', 'README']) writeFileSync(join(dir, name), '')
  writeFileSync(join(dir, 'plain'), '', { mode: 0o644 })
  expect(await run(dir)).toMatchObject([
    {
      code: 'site/open',
      outcome: 'unknown',
      text: 'not run: others than root can change it',
      remedy: expect.stringContaining('chmod go-w'),
    },
    {
      code: 'site/plain',
      outcome: 'unknown',
      text: 'not run: it is not executable',
      remedy: expect.stringContaining('chmod 755'),
    },
  ])
  expect(existsSync(marker)).toBe(false)
})

test('an interpreter that is not there, a link that leads nowhere, no folder', async () => {
  const dir = scratchDir()
  writeFileSync(join(dir, 'x'), '#!/no/such/interpreter\n', { mode: 0o755 })
  expect(await run(dir)).toMatchObject([{ outcome: 'unknown', text: expect.stringContaining('cannot run it') }])
  expect(await siteChecks(join(dir, 'none'))).toEqual([])
  expect(await run(join(dir, 'x'))).toMatchObject([{ outcome: 'unknown', text: expect.stringContaining('cannot look into') }])
})

test('a plugin that says very much is cut short', async () => {
  const [result] = await run(
    folder({ loud: 'i=0; printf "%09999d |" 0; while [ $i -lt 3000 ]; do printf " v$i=$i"; i=$((i+1)); done' }),
  )
  expect(result?.text).toHaveLength(500)
  expect(String(result?.perfdata).split(' ')).toHaveLength(30)
})

test('a plugin gets nothing of our environment', async () => {
  process.env['CIS490_TEST_SECRET'] = 'sesame'
  const [result] = await run(folder({ env: 'env | sort | tr "\\n" " "' }))
  delete process.env['CIS490_TEST_SECRET']
  expect(result?.text).toMatch(/LC_ALL=C.*PATH=/)
  expect(result?.text).not.toContain('sesame')
})

describe('plugin output', () => {
  test('performance data of the later lines too, labels with spaces, none at all', () => {
    const said = "DISK OK | /=1MB;2;3\nmore text\nand more | '/var lib'=2MB\n/home=3MB"
    expect(readPluginOutput(said)).toEqual({ text: 'DISK OK', perfdata: ['/=1MB;2;3', "'/var lib'=2MB", '/home=3MB'] })
    expect(readPluginOutput('')).toEqual({ text: '', perfdata: [] })
    expect(perfdataIn("'it''s'=1 junk =2 a=")).toEqual(["'it''s'=1"])
    expect(withPrefix('disk_', "'/var lib'=2MB")).toBe("'disk_/var lib'=2MB")
  })
})

const plugins = process.env['MONITORING_PLUGINS'] ?? '/usr/lib/nagios/plugins'
test.skipIf(!existsSync(`${plugins}/check_disk`))('the plugins of the distribution work unchanged', async () => {
  const dir = folder({
    disk: `exec ${plugins}/check_disk -w 0% -c 0% -p /`,
    load: `exec ${plugins}/check_load -w 9999,9999,9999 -c 9999,9999,9999`,
    dummy: `exec ${plugins}/check_dummy 2 "this is bad"`,
    tcp: `exec ${plugins}/check_tcp -H 127.0.0.1 -p 1`,
  })
  const results = await run(dir)
  expect(results).toMatchObject([
    {
      code: 'site/disk',
      outcome: 'pass',
      text: expect.stringContaining('DISK OK'),
      perfdata: expect.stringContaining('disk_/='),
    },
    { code: 'site/dummy', outcome: 'fail', text: 'CRITICAL: this is bad' },
    { code: 'site/load', outcome: 'pass', perfdata: expect.stringContaining('load_load1=') },
    { code: 'site/tcp', outcome: 'fail', text: expect.stringContaining('refused') },
  ])
})
