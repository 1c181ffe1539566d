/** Ships all the time while certificates come and go on both ends. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseObject, splitLines } from '@cis490/shared/jsonl.ts'
import { Program } from '../../test/support/program.ts'
import { type Host, joinHost, makeHost, makePlace, type Place, startReceiver } from './place.ts'
import type { CertsResult } from './result.ts'
import { summarize } from './summary.ts'

export interface RunOptions {
  readonly minutes: number
  /** ms */
  readonly lifetime: number
  readonly hosts: number
  readonly dir?: string | undefined
}

const mib = 1 << 20
/** Of each host. The first is sent resumably and its daemon restarted meanwhile, the second in one PUT. */
const largeBytes = [34 * mib, 24 * mib, 40 * mib]
const smallEveryMs = 250
const drainMs = 120_000

interface Running {
  readonly host: Host
  /** Each process that it had, the last one at work. */
  readonly programs: Program[]
  /** Of its large episodes. */
  readonly bytes: number
}

/** @returns the result, and the folder with everything in it */
export async function runCerts(options: RunOptions, say: (line: string) => void, signal: AbortSignal) {
  const place = await makePlace(options.lifetime, options.dir)
  await using stack = new AsyncDisposableStack()
  const { program: receiver, url } = await startReceiver(place)
  stack.use(receiver)
  const running: Running[] = []
  for (const [at, bytes] of largeBytes.slice(0, options.hosts).entries()) {
    // Most of a life for each: one is on its way whenever the certificate changes.
    const rate = Math.ceil(bytes / ((options.lifetime * 5) / 6000))
    const host = await makeHost(place, `lab-0${at + 1}`, url, rate)
    await joinHost(place, host)
    running.push({ host, bytes, programs: [await startAgent(host, stack)] })
  }
  say(`certificates of ${options.lifetime / 1000} s for ${options.minutes} min, in ${place.dir}`)
  const workload = new Workload(place, running)
  const began = performance.now()
  await workload.run(options, stack, signal)
  const minutes = (performance.now() - began) / 60_000
  const stuck = await workload.drain()
  const complaints = [...stuck, ...(await endAll(running, receiver))]
  const agents = Object.fromEntries(
    running.map(({ host, programs }) => [host.name, programs.flatMap(({ stdout }) => rows(stdout))]),
  )
  const [index, rejects] = [await rowsOf(join(place.store, 'index.jsonl')), await rowsOf(join(place.store, 'rejects.jsonl'))]
  const { recorded, begun } = workload
  const summary = summarize({ agents, receiver: rows(receiver.stdout), index, rejects, recorded, begun, complaints })
  const result: CertsResult = { at: new Date().toISOString(), minutes, lifetime_s: options.lifetime / 1000, ...summary }
  return { result, dir: place.dir }
}

/** @returns when it is up: before, a signal would end it without a word */
async function startAgent(host: Host, stack: AsyncDisposableStack): Promise<Program> {
  const program = stack.use(new Program('agent', ['run', '--config', host.config]))
  await program.line({ event: 'up' })
  return program
}

class Workload {
  readonly recorded: string[] = []
  readonly begun = new Map<string, number>()
  readonly #place: Place
  readonly #hosts: readonly Running[]

  constructor(place: Place, hosts: readonly Running[]) {
    this.#place = place
    this.#hosts = hosts
  }

  async run({ minutes, lifetime }: RunOptions, stack: AsyncDisposableStack, signal: AbortSignal): Promise<void> {
    const over = AbortSignal.any([signal, AbortSignal.timeout(minutes * 60_000)])
    const lastBegin = performance.now() + Math.max(0, minutes * 60_000 - lifetime)
    await Promise.all([
      ...this.#hosts.flatMap((one) => [this.#small(one, over), this.#large(one, lastBegin, over)]),
      this.#restart(this.#hosts[0] as Running, lifetime, stack, over),
    ])
  }

  async #small({ host }: Running, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      await this.#record(host, 2000)
      await pause(smallEveryMs, over)
    }
  }

  /** One behind the other: always one is on its way. After the first, none is begun that would outlast the rest. */
  async #large({ host, bytes, programs }: Running, lastBegin: number, over: AbortSignal): Promise<void> {
    for (let first = true; !over.aborted && (first || performance.now() <= lastBegin); first = false) {
      const id = await this.#record(host, bytes)
      this.begun.set(id, Date.now())
      while (!over.aborted && !programs.some(({ stdout }) => wasDelivered(stdout, id))) await pause(50, over)
    }
  }

  /** The daemon ends in the middle of an upload, in order, and the next one goes on with it. */
  async #restart({ host, programs }: Running, lifetime: number, stack: AsyncDisposableStack, over: AbortSignal): Promise<void> {
    for (let share = 0.4; ; share = 0.9) {
      await pause(lifetime * share, over)
      if (over.aborted) return
      programs.at(-1)?.kill('SIGTERM')
      await programs.at(-1)?.ended
      programs.push(await startAgent(host, stack))
    }
  }

  /** meta.json comes last, by a rename. Random bytes: they do not pack. */
  async #record(host: Host, bytes: number): Promise<string> {
    const id = `${host.name}-${String(this.recorded.length + 1).padStart(5, '0')}`
    this.recorded.push(id)
    const folder = join(host.home, 'episodes', id)
    await mkdir(folder)
    await writeFile(join(folder, 'telemetry.bin'), randomBytes(bytes))
    const meta = { schema_version: 1, episode_id: id, code_version: { commit: this.#place.commit } }
    await writeFile(join(folder, '.meta'), JSON.stringify(meta))
    await rename(join(folder, '.meta'), join(folder, 'meta.json'))
    return id
  }

  /** @returns what did not arrive in time */
  async drain(): Promise<string[]> {
    const until = performance.now() + drainMs
    let left: string[] = this.recorded
    while (left.length > 0 && performance.now() < until) {
      const stored = new Set((await rowsOf(join(this.#place.store, 'index.jsonl'))).map(({ id }) => id))
      left = left.filter((id) => !stored.has(id))
      if (left.length > 0) await sleep(100)
    }
    return left.map((id) => `${id} did not arrive within ${drainMs / 1000} s`)
  }
}

function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count)
  for (let at = 0; at < count; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536))
  return bytes
}

function wasDelivered(log: string, id: string): boolean {
  return log.includes(`"event":"delivered","id":"${id}"`)
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

/** @returns those that ended otherwise than by our word, and cleanly */
async function endAll(running: readonly Running[], receiver: Program): Promise<string[]> {
  const complaints: string[] = []
  for (const { host, programs } of running) {
    programs.at(-1)?.kill('SIGTERM')
    for (const { ended } of programs) {
      const { code, signal, stderr } = await ended
      if (code !== 0) complaints.push(`the agent of ${host.name} ended with ${code ?? signal}: ${stderr}`)
    }
  }
  receiver.kill('SIGTERM')
  const { code, signal, stderr } = await receiver.ended
  if (code !== 0) complaints.push(`the receiver ended with ${code ?? signal}: ${stderr}`)
  return complaints
}

function rows(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .map(parseObject)
    .filter((row) => row !== undefined)
}

async function rowsOf(path: string): Promise<Record<string, unknown>[]> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0))
  return splitLines(bytes)
    .lines.map(parseObject)
    .filter((row) => row !== undefined)
}
