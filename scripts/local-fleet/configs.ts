/** The configuration files of a fleet on one machine, the same that operators write. */
import { join } from 'node:path'
import { makeDir, replaceFile } from '@cis490/shared/node/durable.ts'
import type { CertificateFiles } from './certificates.ts'
import type { History } from './history.ts'

export interface AgentPlace {
  readonly host: string
  readonly config: string
  readonly episodes: string
  readonly outbox: string
  readonly state: string
}

export interface ReceiverPlace {
  readonly config: string
  readonly state: string
}

// JSON's strings are TOML's basic strings.
const text = JSON.stringify

/** Free ports, mutual TLS, and the git history as the gate's source. */
export async function writeReceiverConfig(dir: string, certificates: CertificateFiles, history: History): Promise<ReceiverPlace> {
  const place = { config: join(dir, 'receiver.toml'), state: join(dir, 'receiver') }
  await makeDir(place.state)
  await replaceFile(
    place.config,
    `listen = "127.0.0.1:0"
ops_listen = "127.0.0.1:0"
state_dir = ${text(place.state)}

[tls]
cert_file = ${text(certificates.server.cert)}
key_file = ${text(certificates.server.key)}

[auth]
client_ca_file = ${text(certificates.ca)}

[version_gate]
mode = "enforce"
repo_path = ${text(history.path)}
branch = ${text(history.branch)}

[limits]
headroom = "64MiB"
`,
  )
  return place
}

/** Everything of one host lies below `dir/<host>`. */
export async function writeAgentConfig(
  dir: string,
  host: string,
  url: string,
  certificates: CertificateFiles,
): Promise<AgentPlace> {
  const home = join(dir, host)
  const place = {
    host,
    config: join(home, 'lab-host.toml'),
    episodes: join(home, 'episodes'),
    outbox: join(home, 'outbox'),
    state: join(home, 'agent'),
  }
  for (const path of [place.episodes, place.outbox, place.state]) await makeDir(path)
  const pair = certificates.hosts[host]
  if (!pair) throw new Error(`no certificate was made for ${host}`)
  await replaceFile(
    place.config,
    `[host]
name = ${text(host)}

[receiver]
url = ${text(url)}
ca_file = ${text(certificates.ca)}
cert_file = ${text(pair.cert)}
key_file = ${text(pair.key)}

[paths]
episodes = ${text(place.episodes)}
outbox = ${text(place.outbox)}
state = ${text(place.state)}

[ship]
rescan = "1s"

[heartbeat]
every = "5s"
`,
  )
  return place
}
