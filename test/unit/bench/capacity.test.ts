import { expect, test } from 'vitest'
import { capacityPlot, capacityReport, capacityText } from '../../../bench/capacity/command.ts'
import { measured } from '../../../bench/capacity/costs.ts'
import { capacityOf, limitsOf } from '../../../bench/capacity/model.ts'
import { groupCommit, shareProcessors, simulate } from '../../../bench/capacity/simulate.ts'
import { seeded } from '../../support/seeded.ts'

const costs = {
  cores: 2,
  cpu_s_per_gib: 4,
  main_cpu_s_per_gib: 1,
  cpu_ms_per_episode: 1,
  syncs_per_s: 1000,
  syncs_per_episode: 2,
  disk_mb_per_s: 1000,
  cpu_ms_per_heartbeat: 1,
  cpu_ms_per_handshake: 1,
  index_bytes_per_row: 100,
  fold_rows_per_s: 1_000_000,
}
const fleet = { episodes_per_host_day: 24, heartbeat_every_s: 60, handshakes_per_host_day: 0 }

test('a receiver ends at what runs out first', () => {
  // 2 cores x 0.7 / 4.001 s, and TLS alone 0.7 / 1.001 s.
  const big = limitsOf(costs, { episode_bytes: 2 ** 30 })
  expect(big.cpu).toBeCloseTo(1.4 / 4.001)
  expect(big['main-thread']).toBeCloseTo(0.7 / 1.001)
  expect(capacityOf(costs, { ...fleet, episode_bytes: 2 ** 30 }).bound).toBe('cpu')
  expect(capacityOf(costs, { ...fleet, episode_bytes: 64 * 1024 }).bound).toBe('syncs')
  expect(capacityOf({ ...costs, cpu_s_per_gib: 0.1 }, { ...fleet, episode_bytes: 2 ** 30 }).bound).toBe('disk')
  const ample = { ...costs, cores: 64, disk_mb_per_s: 1e6 }
  expect(capacityOf(ample, { ...fleet, episode_bytes: 2 ** 30 }).bound).toBe('main-thread')
})

test('hosts, terabytes and the index follow from the episodes', () => {
  const one = capacityOf(costs, { ...fleet, episode_bytes: 2 ** 30 })
  expect(one.episodes_per_day).toBeCloseTo(one.episodes_per_s * 86_400)
  expect(one.tb_per_day).toBeCloseTo((one.episodes_per_day * 2 ** 30) / 1e12)
  expect(one.hosts).toBe(Math.floor(one.episodes_per_day / 24))
  expect(one.index_gb_per_year).toBeCloseTo((one.episodes_per_day * 365 * 100) / 1e9)
  // Hosts that send nothing but heartbeats: 0.7 of a thread, 1 ms a minute each.
  expect(capacityOf(costs, { ...fleet, episodes_per_host_day: 1e-9, episode_bytes: 1 }).hosts).toBeCloseTo(42_000, -1)
})

test('two uploads on one processor take turns, on two they do not wait', () => {
  const uploads = [
    { arrives: 0, work: 2 },
    { arrives: 1, work: 1 },
  ]
  // From 1 s on each gets half: both need 1 s more.
  expect(shareProcessors(uploads, 1)).toEqual([3, 3])
  expect(shareProcessors(uploads, 2)).toEqual([2, 2])
  expect(shareProcessors([...uploads, { arrives: 10, work: 5 }], 1)).toEqual([3, 3, 15])
})

test('one sync serves all that came before it began', () => {
  expect(groupCommit([0, 0.5, 0.9, 3], 1)).toEqual([1, 2, 2, 4])
})

test('waiting is what queueing theory says of shared processors: work / (1 - load)', () => {
  // Sizes are of no matter there: response time is E[work] / (1 - load), so waiting is load / (1 - load) of the work.
  const station = { cores: 1, work: (bytes: number) => bytes, sync_s: 0 }
  const traffic = { uploads: 60_000, median_bytes: 1, spread: 0.5, most_bytes: 100 }
  const work = Math.exp(0.5 ** 2 / 2)
  for (const load of [0.3, 0.6]) {
    const { mean_s } = simulate(station, { ...traffic, load }, seeded(7))
    expect(mean_s / ((work * load) / (1 - load))).toBeCloseTo(1, 1)
  }
})

test('the same seed gives the same waiting, and more load more of it', () => {
  const station = { cores: 2, work: (bytes: number) => bytes * 1e-8, sync_s: 0.001 }
  const run = (load: number, seed: number) =>
    simulate(station, { load, uploads: 5000, median_bytes: 1e6, spread: 1, most_bytes: 1e9 }, seeded(seed))
  expect(run(0.5, 3)).toEqual(run(0.5, 3))
  const p99 = [0.2, 0.5, 0.8, 0.95].map((load) => run(load, 3).p99_s)
  expect(p99).toEqual(p99.toSorted((a, b) => a - b))
})

test('text and plot tell of every size and load', () => {
  const report = capacityReport({ ...measured, cpu_s_per_gib: 3 })
  const text = capacityText(report)
  expect(text).toMatch(/^64\.0 KiB .*(syncs|cpu|main-thread)/m)
  expect(text).toMatch(/^4\.0 GiB .* (cpu|main-thread|disk) /m)
  expect(text).toMatch(/^95 %/m)
  const svg = capacityPlot(report)
  expect(svg.match(/<polyline /g)).toHaveLength(2)
  expect(svg).not.toContain('NaN')
})
