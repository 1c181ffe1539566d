/** `npm run bench -- capacity`: the table and the simulation, as text, JSON and SVG. */
import { formatSize } from '@cis490/shared/size.ts'
import { seeded } from '../../test/support/seeded.ts'
import { aligned } from '../frame/table.ts'
import { type Capacity, type Costs, capacityOf, type Fleet, limitsOf, nextStep, planned } from './model.ts'
import { plotDelays } from './plot.ts'
import { type Delays, simulate } from './simulate.ts'

export interface CapacityReport {
  readonly benchmark: 'capacity'
  readonly costs: Costs
  readonly planned_share: number
  readonly capacity: readonly Capacity[]
  readonly delays: readonly Delays[]
}

const sizes = [64 * 1024, 1 << 20, 16 << 20, 256 << 20, 2 ** 30, 4 * 2 ** 30]
const fleet: Omit<Fleet, 'episode_bytes'> = { episodes_per_host_day: 48, heartbeat_every_s: 60, handshakes_per_host_day: 24 }
const traffic = { uploads: 20_000, median_bytes: 16 << 20, spread: 1.5, most_bytes: 4 * 2 ** 30 }
const loads = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95]
const gib = 2 ** 30

export function capacityReport(costs: Costs, seed = 1): CapacityReport {
  const station = {
    cores: costs.cores,
    work: (bytes: number) => costs.cpu_ms_per_episode / 1000 + (bytes / gib) * costs.cpu_s_per_gib,
    sync_s: costs.syncs_per_episode / costs.syncs_per_s,
  }
  return {
    benchmark: 'capacity',
    costs,
    planned_share: planned,
    capacity: sizes.map((episode_bytes) => capacityOf(costs, { ...fleet, episode_bytes })),
    delays: loads.map((load) => simulate(station, { ...traffic, load }, seeded(seed))),
  }
}

export function capacityText({ costs, capacity, delays }: CapacityReport): string {
  const table = capacity.map((one) => [
    formatSize(one.episode_bytes),
    rounded(one.episodes_per_s),
    rounded(one.episodes_per_day),
    rounded(one.tb_per_day),
    rounded(one.hosts),
    one.bound,
    rounded(one.index_gb_per_year),
    rounded(one.fold_s_after_a_year),
  ])
  const [smallest, largest] = [sizes[0], sizes.at(-1)].map((episode_bytes = 0) => limitsOf(costs, { episode_bytes }))
  const limits = Object.keys(nextStep).map((bound) => {
    const key = bound as keyof typeof nextStep
    return [key, rounded(smallest?.[key] ?? 0), rounded(largest?.[key] ?? 0)]
  })
  const steps = [...new Set(capacity.map(({ bound }) => bound))].map((bound) => `  ${bound}: ${nextStep[bound]}`)
  return [
    `one receiver on ${costs.cores} cores, planned at ${planned * 100} % of what it can do; ${fleet.episodes_per_host_day} episodes a host and day`,
    '',
    ...aligned([['episode', 'a second', 'a day', 'TB a day', 'hosts', 'ends at', 'index GB a year', 'cold fold s'], ...table]),
    '',
    'what each resource allows, episodes a second',
    ...aligned([['', formatSize(sizes[0] ?? 0), formatSize(sizes.at(-1) ?? 0)], ...limits]),
    '',
    'the next step where it ends',
    ...steps,
    '',
    `waiting beyond the upload's own time, simulated: half of the episodes below ${formatSize(traffic.median_bytes)}, at most ${formatSize(traffic.most_bytes)}`,
    ...aligned([
      ['load', 'uploads a second', 'p50 ms', 'p99 ms', 'mean ms'],
      ...delays.map((one) => [
        `${Math.round(one.load * 100)} %`,
        rounded(one.uploads_per_s),
        ...[one.p50_s, one.p99_s, one.mean_s].map((s) => (s * 1000).toFixed(1)),
      ]),
    ]),
    '',
  ].join('\n')
}

export function capacityPlot({ costs, delays }: CapacityReport): string {
  const assumed = `${costs.cores} cores, ${costs.cpu_s_per_gib} CPU s a GiB, median episode ${formatSize(traffic.median_bytes)}, ${traffic.uploads} uploads a point`
  return plotDelays('Waiting beyond the upload itself', delays, assumed)
}

/** Two digits that count are enough for a plan. */
function rounded(value: number): string {
  if (value >= 100) return Number(value.toPrecision(3)).toString()
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2)
}
