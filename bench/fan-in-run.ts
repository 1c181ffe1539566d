/** One run of each kind of fan-in, against one server. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { runCommand } from './frame/command.ts'
import { percentile } from './frame/median.ts'
import { cpuOf, peakOf, residentOf } from './frame/process-tree.ts'
import type { Contender } from './frame/series.ts'
import type { FanInJob, HandshakesResult, HerdResult } from './load/fan-in-job.ts'
import { ours, serve } from './peers/ours.ts'
import type { Peer, RunningPeer } from './peers/peer.ts'
import type { Stage } from './stage.ts'

const program = fileURLToPath(new URL('./load/fan-in-client.ts', import.meta.url))
const patienceS = 180

/** Connections that a process may hold here, with some room for its other files. */
export function room(): number {
  const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]
  return Number(soft ?? 1024) - 500
}

function reach({ certificates }: Stage, port: number) {
  const identities = Object.entries(certificates.hosts).map(([host, pair]) => ({ host, ...pair }))
  return { port, ca: certificates.ca, identities }
}

export function handshakesOf(server: RunningPeer, stage: Stage, count: number, resume: boolean): Contender {
  return {
    name: resume ? `${server.name}, resumed` : server.name,
    async run() {
      const job: FanInJob = { ...reach(stage, server.port), do: 'handshakes', count, parallel: 16, resume }
      const before = cpuOf(server.pids)
      const { stdout, cpu_s } = await runCommand(process.execPath, [program, JSON.stringify(job)])
      const { seconds, resumed } = JSON.parse(stdout) as HandshakesResult
      const each = 1000 / count
      return { per_second: count / seconds, cpu_ms: (cpuOf(server.pids) - before) * each, client_cpu_ms: cpu_s * each, resumed }
    },
  }
}

/** A server of its own: memory that was once needed is seldom given back. */
export function idleOf(peer: Peer, stage: Stage, count: number): Contender {
  return {
    name: `${peer.name}, ${count}`,
    async run(round) {
      const dir = join(stage.place.dir, `idle-${peer.name}-${count}-${round}`)
      await makeDir(dir)
      const server = await peer.start({ ...stage, children: stage.place.children, dir })
      try {
        const before = residentOf(server.pids)
        const begun = performance.now()
        using client = new Client({ ...reach(stage, server.port), do: 'idle', count })
        await client.line()
        const seconds = (performance.now() - begun) / 1000
        const after = residentOf(server.pids)
        return { per_connection: (after - before) / count, before, after, seconds }
      } finally {
        await server.stop()
      }
    },
  }
}

export function herdOf(stage: Stage, count: number): Contender {
  return {
    name: 'cis490',
    async run(round) {
      const { children } = stage.place
      const dir = join(stage.place.dir, `herd-${round}`)
      await makeDir(dir)
      let server = await ours.start({ ...stage, children, dir })
      try {
        using client = new Client({ ...reach(stage, server.port), do: 'herd', count, patience_s: patienceS })
        await client.line()
        await server.stop('SIGKILL')
        server = { ...server, ...(await serve(children, dir, server.config, server.port)) }
        const listening = Date.now()
        const { served_at, lost, attempts_failed } = JSON.parse(await client.line()) as HerdResult
        const waits = served_at.map((at) => Math.max(0, at - listening) / 1000)
        const rss = peakOf(server.pids)
        return { seconds: Math.max(0, ...waits), median_s: percentile(waits, 0.5), attempts_failed, lost, rss }
      } finally {
        await server.stop()
      }
    },
  }
}

/** The program that stands for the hosts; it ends with us. */
class Client implements Disposable {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  #said = ''

  constructor(job: FanInJob) {
    this.#child = spawn(process.execPath, ['--max-old-space-size=4096', program, JSON.stringify(job)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#said += text))
    this.#lines = createInterface({ input: this.#child.stdout as NonNullable<ChildProcess['stdout']> })[Symbol.asyncIterator]()
  }

  /** @throws Error with what it said when it ends before */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (!done) return String(value)
    if (this.#child.exitCode === null) await once(this.#child, 'close')
    throw new Error(`the clients ended with ${this.#child.exitCode}: ${this.#said.trim().slice(-400)}`)
  }

  [Symbol.dispose](): void {
    this.#child.stdin?.end()
    this.#child.kill()
  }
}
