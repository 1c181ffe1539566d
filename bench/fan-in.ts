/** Many hosts: handshakes a second, memory of idle connections, and a herd that comes back after the receiver was killed. */

import { handshakesOf, herdOf, idleOf, room } from './fan-in-run.ts'
import { type Bench, choose, goalsAsked } from './frame/bench.ts'
import type { Goal } from './frame/goal.ts'
import type { BenchOptions } from './options.ts'
import { nginx } from './peers/nginx.ts'
import { ours } from './peers/ours.ts'
import { setStage } from './stage.ts'

const hosts = Array.from({ length: 32 }, (_, k) => `bench-${k + 1}`)

export const fanIn: Bench = {
  summary: 'handshakes a second, memory of idle connections, and all hosts at once after a restart',
  need: () => 256 << 20,
  async *series(options, place) {
    const stage = await setStage(
      place,
      options.quick ? hosts.slice(0, 2) : hosts,
      options.quick && !options.peers ? [] : [nginx],
      options.peers,
    )
    const count = options.quick ? 24 : 1000
    // Compiled code, before the first is measured.
    if (!options.quick) for (const server of stage.servers) await handshakesOf(server, stage, count, false).run(0)
    yield {
      name: 'a connection for each request, ECDSA certificates, 16 at a time',
      contenders: stage.servers.flatMap((server) => [
        handshakesOf(server, stage, count, false),
        handshakesOf(server, stage, count, true),
      ]),
      left_out: stage.left_out,
      columns: [
        { figure: 'per_second', label: 'a second', unit: 'count' },
        { figure: 'cpu_ms', label: 'CPU ms each', unit: 'ms' },
        { figure: 'client_cpu_ms', label: 'client', unit: 'ms' },
        { figure: 'resumed', label: 'resumed', unit: 'count' },
      ],
      goals: goalsAsked([nginxGoal, resumedGoal], new Set(['cis490', ...stage.servers.map(({ name }) => name)]), options),
    }
    const many = manyOf(options)
    const { take } = choose(options.quick ? [] : [nginx], options.peers)
    yield {
      name: 'idle connections, each of which has asked once',
      contenders: [ours, ...take].flatMap((peer) =>
        (options.quick ? [many] : [Math.ceil(many / 10), many]).map((idle) => idleOf(peer, stage, idle)),
      ),
      columns: [
        { figure: 'per_connection', label: 'each', unit: 'bytes' },
        { figure: 'before', label: 'with none', unit: 'bytes' },
        { figure: 'after', label: 'with all', unit: 'bytes' },
        { figure: 'seconds', label: 'seconds to connect', unit: 's' },
      ],
      goals: [],
    }
    yield {
      name: `${many} hosts come back at once after the receiver was killed and started again`,
      contenders: [herdOf(stage, many)],
      columns: [
        { figure: 'seconds', label: 'seconds until the last', unit: 's' },
        { figure: 'median_s', label: 'half of them', unit: 's' },
        { figure: 'attempts_failed', label: 'attempts in vain', unit: 'count' },
        { figure: 'lost', label: 'lost', unit: 'count' },
        { figure: 'rss', label: 'peak memory', unit: 'bytes' },
      ],
      goals: [{ what: 'hosts lost', ours: 'cis490', figure: 'lost', form: 'ours', limit: { at_most: 0 }, unit: 'count' }],
    }
  },
}

/** Both ends of every connection are on this machine, in a process each. */
function manyOf({ quick, rows }: BenchOptions): number {
  return quick ? 16 : Math.min(rows ?? 10_000, room())
}

const nginxGoal: Goal = {
  what: 'handshakes a second against nginx',
  ours: 'cis490',
  peer: 'nginx',
  figure: 'per_second',
  form: 'ours/peer',
  limit: { at_least: 0.95 },
}

const resumedGoal: Goal = {
  what: 'resumed against full handshakes a second',
  ours: 'cis490, resumed',
  peer: 'cis490',
  figure: 'per_second',
  form: 'ours/peer',
  limit: { at_least: 1.5 },
}
