import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { choose, goalsAsked } from '../../../bench/frame/bench.ts'
import { runCommand } from '../../../bench/frame/command.ts'
import { type Goal, judgeGoal } from '../../../bench/frame/goal.ts'
import { median, percentile, rotate } from '../../../bench/frame/median.ts'
import { noiseBetween } from '../../../bench/frame/noise.ts'
import { plotGoals, reached } from '../../../bench/frame/plot.ts'
import { cpuOf, peakOf, residentOf, treeOf } from '../../../bench/frame/process-tree.ts'
import { type BenchReport, exitCodeOf } from '../../../bench/frame/report.ts'
import { runSeries, type Series } from '../../../bench/frame/series.ts'
import { reportText } from '../../../bench/frame/table.ts'

const faster: Goal = { what: 'faster <than> it', ours: 'we', peer: 'it', figure: 's', form: 'peer/ours', limit: { at_least: 2 } }
const machine: BenchReport['machine'] = {
  at: '2026-01-02T03:04:05.000Z',
  cpu: 'a processor',
  cpus: 2,
  memory_bytes: 1,
  sha_extensions: 'none',
  kernel: '6.1',
  node: 'v24.0.0',
  commit: null,
  versions: { openssl: '3.0' },
}

test('the median of an even number of rounds lies between the two in the middle', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([])]).toEqual([2, 2.5, Number.NaN])
  const hundred = Array.from({ length: 100 }, (_, k) => k + 1)
  expect([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile([7], 0.99)]).toEqual([50, 99, 7])
})

test('the order goes round, so that nobody is always first', () => {
  expect([0, 1, 2, 3].map((k) => rotate(['a', 'b', 'c'], k).join(''))).toEqual(['abc', 'bca', 'cab', 'abc'])
})

test('a goal compares within each round and takes the median of that', () => {
  // Medians of the times alone would say 20 / 10 = 2.0.
  const rounds = [
    { we: { s: 10 }, it: { s: 30 } },
    { we: { s: 1 }, it: { s: 1.5 } },
    { we: { s: 20 }, it: { s: 20 } },
  ]
  expect(judgeGoal(faster, rounds, true)).toMatchObject({ value: 1.5, verdict: 'missed' })
  expect(judgeGoal({ ...faster, limit: { at_least: 1.5 } }, rounds, true).verdict).toBe('met')
  expect(judgeGoal({ ...faster, form: 'ours/peer', limit: { at_most: 0.6 } }, rounds, true).verdict).toBe('missed')
  expect(judgeGoal({ ...faster, form: 'ours-peer', limit: { at_most: 0 } }, rounds, true)).toMatchObject({
    value: -0.5,
    verdict: 'met',
  })
  expect(judgeGoal({ ...faster, form: 'ours', limit: { at_most: 10 } }, rounds, true)).toMatchObject({
    value: 10,
    verdict: 'met',
  })
})

test('what is missing is not measured, what is tiny is not judged', () => {
  expect(judgeGoal(faster, [{ we: { s: 1 }, it: undefined }], true)).toMatchObject({ value: null, verdict: 'not-measured' })
  expect(judgeGoal(faster, [{ we: { s: 1 }, it: { s: 9 } }], false)).toMatchObject({ value: 9, verdict: 'not-judged' })
})

test('contenders run in interleaved rounds; one that fails is named, and the others go on', async () => {
  const ran: string[] = []
  const contender = (name: string, s: number, fails = false) => ({
    name,
    async run(round: number) {
      ran.push(`${round}${name}`)
      if (fails) throw new Error('no such thing')
      return { s: s + round }
    },
  })
  const series: Series = {
    name: 'some load',
    contenders: [contender('we', 1), contender('it', 4), contender('other', 0, true)],
    columns: [{ figure: 's', label: 'seconds', unit: 's' }],
    goals: [faster, { ...faster, what: 'faster than the other', peer: 'other' }],
  }
  const result = await runSeries(series, { rounds: 2, judged: true })
  expect(ran).toEqual(['0we', '0it', '0other', '1it', '1other', '1we'])
  expect(result.medians).toEqual({ we: { s: 1.5 }, it: { s: 4.5 }, other: {} })
  expect(result.goals.map(({ verdict }) => verdict)).toEqual(['met', 'not-measured'])
  expect(result.left_out).toEqual([{ name: 'other', reason: 'failed: no such thing' }])
  expect(result.noise).toHaveLength(6)

  const report = { benchmark: 'some', machine, rounds: 2, quick: false, series: [result] }
  expect(reportText(report)).toMatch(/faster <than> it +at least 2\.00 x +\d\.\d\d x +met/)
  expect(reportText(report)).toContain('left out: other: failed: no such thing')
  expect(exitCodeOf([report])).toBe(3)
  const missed = { ...result, goals: [...result.goals, judgeGoal({ ...faster, limit: { at_least: 9 } }, result.rounds, true)] }
  expect(exitCodeOf([{ ...report, series: [missed] }])).toBe(1)
  expect(exitCodeOf([{ ...report, series: [{ ...result, goals: result.goals.slice(0, 1) }] }])).toBe(0)
})

test('a goal of ours is missed when we failed in a round, however good the others were', async () => {
  const runs = { we: [1, 1, Number.NaN], it: [4, 4, 4] }
  const contender = (name: 'we' | 'it') => ({
    name,
    run: async (round: number) => {
      const s = runs[name][round] as number
      if (Number.isNaN(s)) throw new Error('no answer')
      return { s }
    },
  })
  const series: Series = { name: 'x', contenders: [contender('we'), contender('it')], columns: [], goals: [faster] }
  const { goals } = await runSeries(series, { rounds: 3, judged: true })
  expect(goals.map(({ value, verdict }) => [value, verdict])).toEqual([[4, 'missed']])
})

test('a program that is not there is an error, not the end of the bench', async () => {
  await expect(runCommand('/no/such/program', [])).rejects.toThrow('ENOENT')
})

test('a competitor that is not installed is named with the command that installs it; one that was not asked for is not', () => {
  const all = [
    { name: 'a', missing: () => undefined },
    { name: 'b', missing: () => 'b not installed; apt install b' },
    { name: 'c', missing: () => undefined },
  ]
  expect(choose(all, undefined).take.map(({ name }) => name)).toEqual(['a', 'c'])
  expect(choose(all, undefined).left_out).toEqual([{ name: 'b', reason: 'b not installed; apt install b' }])
  expect(choose(all, ['c'])).toEqual({ take: [all[2]], left_out: [] })
})

test('goals are about who was asked for: one who is missing is not measured, one whom nobody wanted is no goal', () => {
  const all = [faster, { ...faster, peer: 'gone' }]
  const options = { rounds: 1, quick: false, size: undefined, rows: undefined }
  const there = new Set(['we', 'it'])
  expect(goalsAsked(all, there, { ...options, peers: undefined })).toEqual(all)
  expect(goalsAsked(all, there, { ...options, peers: ['it'] })).toEqual([faster])
  expect(goalsAsked(all, there, { ...options, peers: ['gone'] })).toEqual(all)
  expect(goalsAsked(all, there, { ...options, quick: true, peers: undefined })).toEqual([faster])
})

test('foreign work is what is neither ours nor idle nor stolen', () => {
  const before = { at: 0, busy: 10, steal: 1, total: 100, own: 5 }
  const after = { at: 10, busy: 25, steal: 2, total: 120, own: 10 }
  expect(noiseBetween(before, after)).toEqual({ seconds: 10, foreign: 0.5, steal: 0.05 })
  expect(noiseBetween(before, { ...before, own: 50 })).toMatchObject({ foreign: 0 })
})

test('CPU and memory of a process count its children, also those that have ended', async () => {
  // 256 MiB through openssl is some tenths of a second of CPU, in a grandchild.
  const script = 'head -c 268435456 /dev/zero | openssl dgst -sha256 >/dev/null; exit 0'
  const before = cpuOf([process.pid])
  const own = process.cpuUsage()
  const { seconds, cpu_s, rss } = await runCommand('/bin/sh', ['-c', script])
  expect(cpu_s).toBeGreaterThan(0.1)
  expect(seconds).toBeGreaterThan(0.05)
  expect(rss).toBeGreaterThan(1 << 20)
  // What the tree used is what we used and what the child did, to a few ticks.
  const { user, system } = process.cpuUsage(own)
  expect(Math.abs(cpuOf([process.pid]) - before - (user + system) / 1e6 - cpu_s)).toBeLessThan(0.1)
  expect(treeOf(process.pid)).toContain(process.pid)
  expect(peakOf([process.pid])).toBeGreaterThanOrEqual(residentOf([process.pid]) - (64 << 20))
  await expect(runCommand('/bin/sh', ['-c', 'echo that is why >&2; exit 7'])).rejects.toThrow('/bin/sh ended with 7: that is why')
})

test('the plot says where the limit is, whichever way it points, and is well-formed', () => {
  const met = judgeGoal(faster, [{ we: { s: 1 }, it: { s: 4 } }], true)
  const low = judgeGoal({ ...faster, form: 'ours/peer', limit: { at_most: 0.5 } }, [{ we: { s: 3 }, it: { s: 3 } }], true)
  expect([reached(met), reached(low), reached({ ...met, value: null }), reached({ ...met, value: 100 })]).toEqual([
    2, 0.5, 0, 2.5,
  ])
  const svg = plotGoals('Goals & more', [met, low], 'here')
  expect(svg).toContain('faster &lt;than&gt; it (at least 2.00 x)')
  expect(svg.match(/<rect /g)).toHaveLength(3)
  expect(svg.match(/<text /g)?.length).toBe(svg.match(/<\/text>/g)?.length)
})

test('the memory of this process is what the kernel says', () => {
  const said = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
  expect(peakOf([process.pid])).toBeGreaterThanOrEqual(said)
})
