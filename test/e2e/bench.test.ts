import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { BenchReport } from '../../bench/frame/report.ts'
import { scratchDir } from '../support/scratch.ts'

const main = fileURLToPath(new URL('../../bench/main.ts', import.meta.url))

/** The exit code, stdout and stderr of `npm run bench -- ...`. */
function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

test('every bench of servers runs, compares within a round, and tells its goals', async () => {
  const file = join(scratchDir(), 'bench.json')
  const { code, stdout, stderr } = await bench('large', 'small', 'fan-in', '--quick', '--json', file, '--plot', `${file}.svg`)
  expect(stderr).toBe('')
  expect(stdout).toContain('speed of one 1 GiB PUT against SHA-256 alone')
  const reports = JSON.parse(await readFile(file, 'utf8')) as BenchReport[]
  const series = reports.flatMap((report) => report.series)
  expect(series.map(({ left_out }) => left_out)).toEqual(series.map(() => []))
  const goals = series.flatMap((one) => one.goals)
  expect(goals.map(({ what }) => what)).toEqual([
    'speed of one 1 GiB PUT against SHA-256 alone',
    'CPU s/GiB against SHA-256 alone',
    'speed against naive node',
    'peak memory of the receiver',
    'speed of 4 x 256 MiB at once against SHA-256 on all cores',
    'resumed against full handshakes a second',
    'hosts lost',
  ])
  for (const { value, verdict } of goals) expect([Number.isFinite(value), verdict]).toEqual([true, 'not-judged'])
  expect(goals.at(-1)?.value).toBe(0)
  // All the rounds had something to compare.
  for (const { medians } of series)
    for (const figures of Object.values(medians)) expect(Object.keys(figures ?? {})).not.toEqual([])
  expect(await readFile(`${file}.svg`, 'utf8')).toContain('speed against naive node')
  expect(code).toBe(0)
})

test('the capacity follows from the costs that it is given', async () => {
  const file = join(scratchDir(), 'costs.json')
  await writeFile(file, '{"cores":8,"cpu_s_per_gib":1}')
  const { code, stdout } = await bench('capacity', '--costs', file, '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ benchmark: 'capacity', costs: { cores: 8, cpu_s_per_gib: 1 } })
  await writeFile(file, '{"cores":-1}')
  const wrong = await bench('capacity', '--costs', file)
  expect([wrong.code, wrong.stderr.split(';')[0]]).toEqual([2, `bench: ${file}: cores: Too small: expected number to be >0`])
})

test('a mistake is told in one line, with the usage', async () => {
  const { code, stderr } = await bench('larg')
  expect([code, stderr.split('\n')[0]]).toEqual([2, 'bench: no benchmark "larg"'])
})
