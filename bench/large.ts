/** Durable uploads of large bodies over mutual TLS, beside the hash alone and beside other servers. */
import { join } from 'node:path'
import { type Bench, goalsAsked } from './frame/bench.ts'
import type { Goal } from './frame/goal.ts'
import type { Column, Series } from './frame/series.ts'
import { hashAll, hasher, uploadTo } from './large-run.ts'
import { BodyFile } from './load/body-file.ts'
import type { BenchOptions } from './options.ts'
import { nginx } from './peers/nginx.ts'
import { naive, tusPeer } from './peers/node-servers.ts'
import { caddy, starlette } from './peers/starlette.ts'
import { setStage } from './stage.ts'

const host = 'bench-host'
const gib = 2 ** 30

export const large: Bench = {
  summary: 'one durable PUT of 1 GiB, and 4 of 256 MiB at once, beside SHA-256 alone and other servers',
  // The bodies, and what every server stores of one round.
  need: (options) => sizeOf(options) * 10,
  async *series(options, place) {
    const tus = (options.peers?.includes('tus') ?? !options.quick) ? [await tusPeer()] : []
    const peers = options.quick && !options.peers ? [naive] : [starlette, caddy, naive, nginx, ...tus]
    const stage = await setStage(place, [host], peers, options.peers)
    const size = sizeOf(options)
    for (const [count, goals] of [
      [1, oneGoals],
      [4, fourGoals],
    ] as const) {
      const bodies: BodyFile[] = []
      for (let k = 0; k < count; k++)
        bodies.push(await BodyFile.make(join(place.dir, `body-${count}-${k}`), Math.floor(size / count), stage.history.head))
      const there = new Set([...stage.servers.map(({ name }) => name), hasher])
      yield {
        name: count === 1 ? 'one large body' : `${count} bodies of a ${count}th each, at once`,
        contenders: [
          hashAll(bodies, size),
          ...stage.servers.map((server) => uploadTo(server, bodies, size, stage.certificates, host)),
        ],
        left_out: stage.left_out,
        columns,
        goals: goalsAsked(goals, there, options),
        async beforeRound(round) {
          for (const body of bodies) await body.renew(round)
        },
      } satisfies Series
    }
  },
}

function sizeOf({ size, quick }: BenchOptions): number {
  return size ?? (quick ? 16 << 20 : gib)
}

const columns: readonly Column[] = [
  { figure: 'seconds', label: 'seconds', unit: 's' },
  { figure: 'mb_per_s', label: 'MB/s', unit: 'count' },
  { figure: 'cpu_per_gib', label: 'CPU s/GiB', unit: 's' },
  { figure: 'client_cpu_per_gib', label: 'client', unit: 's' },
  { figure: 'rss', label: 'peak memory', unit: 'bytes' },
]

const fasterThan = (peer: string, at_least: number): Goal => ({
  what: `speed against ${peer}`,
  ours: 'cis490',
  peer,
  figure: 'seconds',
  form: 'peer/ours',
  limit: { at_least },
})

const oneGoals: readonly Goal[] = [
  { ...fasterThan(hasher, 0.8), what: 'speed of one 1 GiB PUT against SHA-256 alone' },
  {
    what: 'CPU s/GiB against SHA-256 alone',
    ours: 'cis490',
    peer: hasher,
    figure: 'cpu_per_gib',
    form: 'ours/peer',
    limit: { at_most: 1.9 },
  },
  fasterThan('starlette', 1.3),
  fasterThan('caddy+starlette', 1.05),
  fasterThan('tus', 1.5),
  fasterThan('naive node', 2.5),
  {
    what: 'peak memory of the receiver',
    ours: 'cis490',
    figure: 'rss',
    form: 'ours',
    limit: { at_most: 192 << 20 },
    unit: 'bytes',
  },
]

const fourGoals: readonly Goal[] = [
  { ...fasterThan(hasher, 0.45), what: 'speed of 4 x 256 MiB at once against SHA-256 on all cores' },
]
