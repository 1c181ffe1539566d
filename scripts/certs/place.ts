/** A receiver with a CA of its own, and hosts that join it by token: folders, configurations, processes. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GitRepo } from '../../test/support/git-repo.ts'
import { Program, runToEnd } from '../../test/support/program.ts'

export interface Place {
  readonly dir: string
  readonly receiverConfig: string
  readonly store: string
  /** A hash that the gate lets in. */
  readonly commit: string
}

/** @param below an existing folder. @param lifetime of certificates, ms */
export async function makePlace(lifetime: number, below = tmpdir()): Promise<Place> {
  const dir = await mkdtemp(join(below, 'cis490-certs-'))
  const repo = new GitRepo(join(dir, 'history'))
  const commit = repo.commit()
  const store = join(dir, 'store')
  const receiverConfig = join(dir, 'receiver.toml')
  await writeFile(
    receiverConfig,
    `listen = "127.0.0.1:0"
ops_listen = "127.0.0.1:0"
state_dir = "${store}"

[tls]
cert_file = "${store}/tls/server.crt"
key_file = "${store}/tls/server.key"

[ca]
cert_file = "${store}/ca/ca.crt"
key_file = "${store}/ca/ca.key"
lifetime = "${lifetime}ms"
server_names = ["localhost", "127.0.0.1"]

[version_gate]
repo_path = "${repo.path}"

[limits]
headroom = "64MiB"
`,
  )
  return { dir, receiverConfig, store, commit }
}

/** @returns when it listens */
export async function startReceiver(place: Place): Promise<{ program: Program; url: string }> {
  const program = new Program('receiver', ['serve', '--config', place.receiverConfig])
  const { url } = await program.line({ event: 'listening', listener: 'receiver' })
  return { program, url: String(url) }
}

export interface Host {
  readonly name: string
  readonly config: string
  readonly home: string
}

/** @param rate bytes a second of its uploads; 0: no limit */
export async function makeHost(place: Place, name: string, url: string, rate: number): Promise<Host> {
  const home = join(place.dir, 'hosts', name)
  await mkdir(join(home, 'episodes'), { recursive: true })
  const config = join(home, 'lab-host.toml')
  const tls = join(home, 'state', 'tls')
  await writeFile(
    config,
    `[host]
name = "${name}"

[receiver]
url = "${url}"
ca_file = "${tls}/ca.crt"
cert_file = "${tls}/host.crt"
key_file = "${tls}/host.key"

[paths]
episodes = "${home}/episodes"
outbox = "${home}/outbox"
state = "${home}/state"

[ship]
rescan = "1s"
rate_limit = "${rate}"
max_pressure = { io = 0, cpu = 0, memory = 0 }

[heartbeat]
every = "1s"

[quota]
reserve = "1MiB"

[certs]
renew_at = 0.6667
`,
  )
  return { name, config, home }
}

/** Token on the receiver, first certificate on the host. @throws Error with what the programs said */
export async function joinHost(place: Place, host: Host): Promise<void> {
  const made = await runToEnd('receiver', ['token', 'create', '--host', host.name, '--config', place.receiverConfig])
  const file = join(host.home, 'token')
  await writeFile(file, made.stdout, { mode: 0o600 })
  const joined = await runToEnd('agent', ['fetch-cert', '--token-file', file, '--config', host.config])
  if (joined.code !== 0) throw new Error(`${host.name} could not join: ${made.stderr}${joined.stderr}`)
}
