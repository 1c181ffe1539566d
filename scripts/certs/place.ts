/** A receiver with a CA of its own, and hosts that join it by token: folders, configurations, processes. */
import { createHash, X509Certificate } from 'node:crypto'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { join as joinBy } from '../../packages/agent/src/commands/join.ts'
import { AgentConfig } from '../../packages/agent/src/config.ts'
import { parseJoinToken } from '../../packages/agent/src/core/join-token.ts'
import { caPaths } from '../../packages/receiver/src/ca/paths.ts'
import { TokenStore } from '../../packages/receiver/src/ca/token-store.ts'
import { writeToken } from '../../packages/receiver/src/core/join-token.ts'
import { GitRepo } from '../../test/support/git-repo.ts'
import { Program } from '../../test/support/program.ts'

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
  for (const folder of ['episodes', 'outbox', 'state']) await mkdir(join(home, folder), { recursive: true })
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

/** Token on the receiver, first certificate on the host: what `token create` and `fetch-cert --token` do. @throws UserError */
export async function joinHost(place: Place, host: Host): Promise<void> {
  const authority = new X509Certificate(await readFile(join(place.store, 'ca', 'ca.crt')))
  const pin = createHash('sha256').update(authority.raw).digest('hex')
  const tokens = new TokenStore(caPaths(place.store).tokens)
  const made = await tokens.create(HostName.parse(host.name), pin, { now: Date.now(), ms: 60_000 }, 'certs')
  const token = parseJoinToken(writeToken(made))
  if (typeof token === 'string') throw new UserError(token)
  await joinBy(loadConfig(host.config, AgentConfig), token, Date.now)
}
