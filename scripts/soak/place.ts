/** The folder of a soak: certificates, a history for the gate, the receiver's configuration. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GitRepo } from '../../test/support/git-repo.ts'
import { makePki, type Pki } from '../../test/support/pki.ts'

export interface SoakPlace {
  readonly dir: string
  readonly pki: Pki
  /** Hashes that the gate lets in. */
  readonly commits: readonly string[]
  readonly state: string
  readonly receiverConfig: string
  /** Of the programs. */
  readonly logs: string
}

/** @param below an existing folder; the system's temporary one by default */
export async function makePlace(below = tmpdir()): Promise<SoakPlace> {
  const dir = await mkdtemp(join(below, 'cis490-soak-'))
  for (const name of ['pki', 'logs', 'hosts']) await mkdir(join(dir, name))
  const pki = await makePki(join(dir, 'pki'), 'raw-0')
  const repo = new GitRepo(join(dir, 'history'))
  repo.commit(4)
  const state = join(dir, 'state')
  const receiverConfig = join(dir, 'receiver.toml')
  await writeFile(
    receiverConfig,
    `listen = "127.0.0.1:0"
ops_listen = "127.0.0.1:0"
state_dir = "${state}"

[tls]
cert_file = "${pki.server.certFile}"
key_file = "${pki.server.keyFile}"

[auth]
client_ca_file = "${pki.caFile}"

[version_gate]
mode = "enforce"
repo_path = "${repo.path}"

[limits]
idle_timeout = "1s"
headroom = "64MiB"
upload_max_age = "60s"
`,
  )
  return { dir, pki, commits: repo.log(), state, receiverConfig, logs: join(dir, 'logs') }
}
