/** Lab hosts of a soak: real agents that ship small episodes through the proxy, and are killed now and then themselves. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseObject, splitLines } from '@cis490/shared/jsonl.ts'
import { hostFiles } from '../../test/support/pki.ts'
import { between, pick, seeded } from '../../test/support/seeded.ts'
import { type Child, Children, programs } from '../local-fleet/children.ts'
import type { HeldReceipt, StoredRow } from './check.ts'
import { cpuSeconds } from './cpu.ts'
import type { SoakPlace } from './place.ts'

interface LabHost {
  readonly name: string
  readonly config: string
  readonly episodes: string
  readonly state: string
  recorded: number
  running?: Child
}

export class Agents {
  /** Times that an agent was killed. */
  kills = 0
  /** Processor seconds of the agents that have ended. */
  cpu = 0
  /** Ends that nobody asked for. */
  readonly complaints: string[] = []
  readonly #children: Children
  readonly #hosts: readonly LabHost[]
  readonly #place: SoakPlace

  private constructor(children: Children, hosts: readonly LabHost[], place: SoakPlace) {
    this.#children = children
    this.#hosts = hosts
    this.#place = place
  }

  static async make(place: SoakPlace, count: number, url: string): Promise<Agents> {
    const hosts: LabHost[] = []
    for (let k = 1; k <= count; k++) hosts.push(await makeHost(place, `lab-0${k}`, url))
    return new Agents(new Children(place.logs), hosts, place)
  }

  get recorded(): number {
    return this.#hosts.reduce((sum, { recorded }) => sum + recorded, 0)
  }

  /** Records an episode every `everyMs` on each host, and kills one agent in `killEveryMs`, until the signal. */
  async run(seed: number, everyMs: number, killEveryMs: number, signal: AbortSignal): Promise<void> {
    const random = seeded(seed)
    for (const host of this.#hosts) this.#start(host)
    const killing = this.#killSome(random, killEveryMs, signal)
    while (!signal.aborted) {
      for (const host of this.#hosts) await this.#record(host, between(random, 100, 6000))
      await pause(everyMs, signal)
    }
    await killing
    await Promise.all(this.#hosts.map((host) => this.#end(host, 'SIGINT')))
  }

  /** Ships what is left, on a line that is whole again. @returns the hosts that could not */
  async drain(): Promise<string[]> {
    const stuck: string[] = []
    for (const host of this.#hosts) {
      let ended: number | string = 'not run'
      for (let turn = 0; turn < 5 && ended !== 0; turn++)
        ended = await this.#children.start(`${host.name}-ship`, programs.agent, ['ship', '--config', host.config]).ended
      if (ended !== 0) stuck.push(`${host.name}: ship ended with ${ended}`)
      const delivered = new Set((await receiptsOf(host)).map(({ id }) => id)).size
      if (delivered !== host.recorded) stuck.push(`${host.name}: ${host.recorded} recorded, ${delivered} receipts`)
    }
    return stuck
  }

  async receipts(): Promise<HeldReceipt[]> {
    return (await Promise.all(this.#hosts.map(receiptsOf))).flat()
  }

  stop(): Promise<void> {
    return this.#children.stop()
  }

  #start(host: LabHost): void {
    host.running = this.#children.start(host.name, programs.agent, ['run', '--config', host.config])
  }

  async #killSome(random: () => number, everyMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(everyMs * (0.5 + random()), signal)
      if (signal.aborted || this.#hosts.length === 0) return
      const host = pick(random, this.#hosts)
      await this.#end(host, 'SIGKILL')
      this.kills += 1
      this.#start(host)
    }
  }

  async #end({ name, running }: LabHost, signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
    if (!running) return
    this.cpu += cpuSeconds(running.pid)
    const before = await Promise.race([running.ended, Promise.resolve('still there')])
    if (before === 'still there') process.kill(running.pid, signal)
    else this.complaints.push(`the agent of ${name} ended by itself with ${before}`)
    await running.ended
  }

  /** meta.json comes last, by a rename, as recorders do it. */
  async #record(host: LabHost, bytes: number): Promise<void> {
    const id = `${host.name}-${(++host.recorded).toString().padStart(5, '0')}`
    const folder = join(host.episodes, id)
    await mkdir(folder)
    await writeFile(join(folder, 'telemetry.bin'), crypto.getRandomValues(new Uint8Array(bytes)))
    const meta = { schema_version: 1, episode_id: id, code_version: { commit: this.#place.commits[0] } }
    await writeFile(join(folder, '.meta'), JSON.stringify(meta))
    await rename(join(folder, '.meta'), join(folder, 'meta.json'))
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}

async function makeHost(place: SoakPlace, name: string, url: string): Promise<LabHost> {
  const home = join(place.dir, 'hosts', name)
  const paths = { episodes: join(home, 'episodes'), outbox: join(home, 'outbox'), state: join(home, 'state') }
  for (const path of Object.values(paths)) await mkdir(path, { recursive: true })
  const { certFile, keyFile } = await hostFiles(place.pki.dir, name, place.pki.authority, name)
  const config = join(home, 'lab-host.toml')
  await writeFile(
    config,
    `[receiver]
url = "${url}"
ca_file = "${place.pki.caFile}"
cert_file = "${certFile}"
key_file = "${keyFile}"

[paths]
episodes = "${paths.episodes}"
outbox = "${paths.outbox}"
state = "${paths.state}"

[ship]
rescan = "10s"

[quota]
reserve = "1MiB"
`,
  )
  return { name, config, ...paths, recorded: 0 }
}

async function receiptsOf(host: LabHost): Promise<HeldReceipt[]> {
  const bytes = await readFile(join(host.state, 'receipts.jsonl')).catch(() => Buffer.alloc(0))
  return splitLines(bytes).lines.map((text) => ({ ...(parseObject(text) as unknown as StoredRow), text }))
}
