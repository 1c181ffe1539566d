/** One soak: everything is started, breaks for a while, ends, recovers, and is looked at. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { ChaosProxy, calm } from '../../test/support/chaos-proxy.ts'
import { hostFiles } from '../../test/support/pki.ts'
import { seeded } from '../../test/support/seeded.ts'
import { Agents } from './agents.ts'
import { chaos } from './chaos.ts'
import { checkHistory, type Violation } from './check.ts'
import { type ClientOptions, runClient } from './client.ts'
import { ownCpuSeconds } from './cpu.ts'
import { History } from './history.ts'
import { Nemesis } from './nemesis.ts'
import type { SoakOptions } from './options.ts'
import type { SoakPlace } from './place.ts'
import { answersOf, machine, type SoakResult, shortOf, startTimes } from './result.ts'
import { readStored } from './stored.ts'
import { Workload } from './workload.ts'

/** So many hosts share the raw clients' connections: a receiver bounds what one host may have open. */
const rawHosts = 2
const recordEveryMs = 10_000
const killAgentEveryMs = 20_000
const progressMs = 5000

export interface Soaked {
  readonly result: SoakResult
  readonly history: History
}

/** @param say gets a line every few seconds. @param stop ends it early */
export async function soak(
  place: SoakPlace,
  options: SoakOptions,
  say: (line: string) => void,
  stop: AbortSignal,
): Promise<Soaked> {
  const { seed, minutes } = options
  const history = new History()
  await using proxy = await ChaosProxy.open('https://127.0.0.1:1')
  const nemesis = new Nemesis(place, proxy, options.kills)
  await nemesis.start()
  const agents = await Agents.make(place, options.agents, proxy.url)
  try {
    proxy.plan = chaos(seed)
    const ms = minutes * 60_000
    const before = ownCpuSeconds()
    const enough = new AbortController()
    const over = AbortSignal.any([stop, enough.signal])
    // A receiver that does not start any more ends the soak; what is stored is looked at all the same.
    const faults: string[] = []
    const orFault = (act: Promise<void>) => act.catch((error: unknown) => void faults.push(messageOf(error)))
    const raging = Promise.all([
      nemesis.rage(options.kills, ms, () => history.counts.ok, seeded(seed + 1), stop),
      sleep(ms, undefined, { signal: stop }).catch(() => undefined),
    ])
      .then(() => undefined)
      .finally(() => enough.abort())
    over.addEventListener('abort', () => {
      proxy.plan = calm
      proxy.resetAll()
    })
    await Promise.all([
      ...(await startClients(place, options, { url: proxy.url, up: () => nemesis.up() }, history, over)),
      agents.run(seed + 2, recordEveryMs, killAgentEveryMs, over),
      orFault(raging),
      tell(history, nemesis, say, over),
    ])
    const lasted = history.now()
    const harness = ownCpuSeconds() - before
    const { ok, fail } = history.counts
    // One that was under way at the end has no answer either.
    const puts = { sent: history.puts.length, ok, fail, info: history.puts.length - ok - fail }
    const kills = nemesis.kills
    say('the line is whole again; recovering, shipping what is left')
    await orFault(nemesis.recover())
    const stuck = await agents.drain()
    const ended = await nemesis.stop()
    const complaints = [
      ...faults,
      ...nemesis.complaints,
      ...agents.complaints,
      ...stuck,
      ...(ended === 0 ? [] : [`at the end the receiver left with ${ended}`]),
    ]
    const found = await fsck(place.receiverConfig)
    const stored = await readStored(place.state)
    const held = await agents.receipts()
    const violations: Violation[] = [
      ...history.broken.map((one) => ({ kind: 'upload-broken' as const, ...one })),
      ...checkHistory(history.puts, history.reads, held, stored),
    ]
    const result: SoakResult = {
      at: new Date().toISOString(),
      machine: machine(),
      seed,
      minutes: Math.round(lasted / 600) / 100,
      puts,
      answers: answersOf(history),
      reads: history.reads.length,
      uploads: history.uploads,
      agents: { recorded: agents.recorded, receipts: held.length, kills: agents.kills },
      receiver: { kills: nemesis.kills, start_ms: startTimes(nemesis.starts), recovered: nemesis.recovered },
      line: { connections: proxy.connections, bytes_up: proxy.carried.up, bytes_down: proxy.carried.down, faults: proxy.done },
      cpu: { harness, agents: agents.cpu, ...nemesis.cpu },
      rows: stored.rows.length,
      short: shortOf(minutes, lasted / 60_000, puts.sent, kills),
      violations,
      complaints: [...complaints, ...found],
    }
    return { result, history }
  } finally {
    await agents.stop()
    await nemesis.stop()
  }
}

async function startClients(
  place: SoakPlace,
  { clients, seed }: SoakOptions,
  to: Pick<ClientOptions, 'url' | 'up'>,
  history: History,
  signal: AbortSignal,
): Promise<Promise<void>[]> {
  const running: Promise<void>[] = []
  for (let k = 0; k < Math.min(clients, rawHosts); k++) {
    const host = `raw-${k}`
    const identity = await hostFiles(place.pki.dir, host, place.pki.authority, host)
    const workload = new Workload(seed + 100 + k, place.commits)
    for (let n = k; n < clients; n += rawHosts)
      running.push(runClient({ ...to, name: `client-${n}`, host, pki: place.pki, identity, workload, history, signal }))
  }
  return running
}

async function tell(history: History, nemesis: Nemesis, say: (line: string) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(progressMs, undefined, { signal }).catch(() => undefined)
    const seconds = history.now() / 1000
    const { ok, fail, info } = history.counts
    const clock = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`
    const rate = Math.round(history.puts.length / seconds)
    const { median } = startTimes(nemesis.starts)
    say(
      `${clock}  PUTs ${history.puts.length} (${rate}/s): ok ${ok}, refused ${fail}, unknown ${info}  kills ${nemesis.kills}  start ${median} ms`,
    )
  }
}

/** @returns what it found, a line each */
async function fsck(config: string): Promise<string[]> {
  const launcher = fileURLToPath(new URL('../../packages/receiver/bin/cis490-receiver', import.meta.url))
  const child = spawn(launcher, ['fsck', '--verify-hashes', '--config', config], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number | null]>])
  return code === 0 ? [] : [`fsck --verify-hashes ended with ${code}: ${said.trim()}`]
}
