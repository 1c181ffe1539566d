/** Durable small episodes and reports a second over kept-alive mutual TLS, beside a server that does the same in Python. */
import { fileURLToPath } from 'node:url'
import { type Bench, goalsAsked } from './frame/bench.ts'
import { runCommand } from './frame/command.ts'
import type { Goal } from './frame/goal.ts'
import { cpuOf, forgetPeak, peakOf } from './frame/process-tree.ts'
import type { Column, Contender, Series } from './frame/series.ts'
import type { LoadJob, LoadResult } from './load/job.ts'
import { nginx } from './peers/nginx.ts'
import { naive } from './peers/node-servers.ts'
import type { RunningPeer } from './peers/peer.ts'
import { caddy, starlette } from './peers/starlette.ts'
import { type Stage, setStage } from './stage.ts'

const program = fileURLToPath(new URL('./load/client.ts', import.meta.url))
const hosts = Array.from({ length: 32 }, (_, k) => `bench-${k + 1}`)

/** Until all is compiled to the full that runs for each: the receiver reaches its rate after some 8000, the others sooner. */
const warmUps = 12_288

interface Shape {
  readonly name: string
  readonly kind: LoadJob['kind']
  readonly bytes: number
  readonly connections: number
  readonly requests: number
  readonly goals: readonly Goal[]
}

export const small: Bench = {
  summary: 'durable 64 KiB episodes and 2 KiB reports a second, on 1, 8 and 32 connections',
  need: ({ rounds, quick }) => (quick ? 64 << 20 : ((rounds + 1) * 11_000 + warmUps) * 5 * 65_536),
  async *series(options, place) {
    const peers = options.quick && !options.peers ? [naive] : [starlette, caddy, naive, nginx]
    const stage = await setStage(place, options.quick ? hosts.slice(0, 2) : hosts, peers, options.peers)
    const shapes = options.quick ? shapesOf(24).slice(-2) : shapesOf(4096)
    if (!options.quick) for (const server of stage.servers) await warmUp(server, stage)
    for (const shape of shapes) {
      const servers = stage.servers.filter(({ name }) => shape.kind === 'episode' || reporters.has(name))
      const there = new Set(servers.map(({ name }) => name))
      yield {
        name: shape.name,
        contenders: servers.map((server) => contenderOf(server, shape, stage)),
        left_out: stage.left_out,
        columns,
        goals: goalsAsked(shape.goals, there, options),
      } satisfies Series
    }
  },
}

const columns: readonly Column[] = [
  { figure: 'per_second', label: 'a second', unit: 'count' },
  { figure: 'p50_ms', label: 'p50 ms', unit: 'ms' },
  { figure: 'p99_ms', label: 'p99 ms', unit: 'ms' },
  { figure: 'cpu_ms', label: 'CPU ms each', unit: 'ms' },
  { figure: 'client_cpu_ms', label: 'client', unit: 'ms' },
  { figure: 'rss', label: 'peak memory', unit: 'bytes' },
]

/** The others have no reports. */
const reporters = new Set(['cis490', 'starlette', 'caddy+starlette'])

function rateAgainstStarlette(what: string, at_least: number): Goal {
  return {
    what: `${what} a second`,
    ours: 'cis490',
    peer: 'starlette',
    figure: 'per_second',
    form: 'ours/peer',
    limit: { at_least },
  }
}

function shapesOf(requests: number): readonly Shape[] {
  const episodes = (connections: number): Shape => {
    const what = `64 KiB episodes, ${connections} ${connections === 1 ? 'connection' : 'connections'}`
    const p99: Goal = {
      what: `${what}: p99`,
      ours: 'cis490',
      peer: 'starlette',
      figure: 'p99_ms',
      form: 'ours/peer',
      limit: { at_most: 0.8 },
    }
    const goals = connections === 1 ? [] : [rateAgainstStarlette(what, 1.5), p99]
    return {
      name: what,
      kind: 'episode',
      bytes: 63 * 1024,
      connections,
      requests: connections === 1 ? requests / 2 : requests,
      goals,
    }
  }
  const reports = '2 KiB reports, 32 connections'
  return [
    episodes(1),
    episodes(8),
    episodes(32),
    {
      name: reports,
      kind: 'report',
      bytes: 2048,
      connections: 32,
      requests: requests * 2,
      goals: [rateAgainstStarlette(reports, 2.5)],
    },
  ]
}

/** Compiled code, open files, and the folders that every store has after its first hours. */
async function warmUp(server: RunningPeer, stage: Stage): Promise<void> {
  const shape = { kind: 'episode', bytes: 63 * 1024, connections: 8, requests: warmUps } as const
  await load(server, shape, stage, 'warm')
  if (reporters.has(server.name)) await load(server, { ...shape, kind: 'report', bytes: 2048 }, stage, 'warm')
}

function contenderOf(server: RunningPeer, shape: Shape, stage: Stage): Contender {
  return {
    name: server.name,
    async run(round) {
      forgetPeak(server.pids)
      const before = cpuOf(server.pids)
      const result = await load(server, shape, stage, `${shape.connections}-${round}`)
      const each = 1000 / shape.requests
      return {
        per_second: shape.requests / result.seconds,
        p50_ms: result.p50_ms,
        p99_ms: result.p99_ms,
        cpu_ms: (cpuOf(server.pids) - before) * each,
        client_cpu_ms: result.cpu_s * each,
        rss: peakOf(server.pids),
      }
    },
  }
}

/** Episodes come from one host, whose folders are all there; each connection reports for a host of its own. @throws Error for any refusal */
async function load(
  { port, name }: RunningPeer,
  { kind, bytes, connections, requests }: Pick<Shape, 'kind' | 'bytes' | 'connections' | 'requests'>,
  { certificates, history }: Stage,
  run: string,
): Promise<LoadResult> {
  const identities = (kind === 'episode' ? hosts.slice(0, 1) : hosts).flatMap((host) => {
    const pair = certificates.hosts[host]
    return pair ? [{ host, ...pair }] : []
  })
  const prefix = `${kind}-${run}`
  const job: LoadJob = { kind, port, ca: certificates.ca, identities, connections, requests, bytes, prefix, commit: history.head }
  const { stdout } = await runCommand(process.execPath, [program, JSON.stringify(job)])
  const result = JSON.parse(stdout) as LoadResult
  const refusals = Object.entries(result.refusals).map(([status, count]) => `${count} x ${status}`)
  if (refusals.length > 0) throw new Error(`${name} refused ${refusals.join(', ')}`)
  return result
}
