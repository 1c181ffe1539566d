/** A receiver in this process with a CA of its own, and hosts that have not joined it yet. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { AgentConfig } from '../../packages/agent/src/config.ts'
import { startReceiver } from '../../packages/receiver/src/app.ts'
import { type Authority, loadAuthority } from '../../packages/receiver/src/ca/authority.ts'
import { caPaths } from '../../packages/receiver/src/ca/paths.ts'
import { TokenStore } from '../../packages/receiver/src/ca/token-store.ts'
import { ReceiverConfig } from '../../packages/receiver/src/config.ts'
import { writeToken } from '../../packages/receiver/src/core/join-token.ts'
import { type CapturedLog, capturedLog } from './captured-log.ts'
import { GitRepo } from './git-repo.ts'
import { fingerprintOf } from './pki.ts'
import { scratchDir } from './scratch.ts'

export interface CaReceiver extends AsyncDisposable {
  readonly url: string
  readonly store: string
  readonly log: CapturedLog
  readonly caPem: string
  /** A hash that the gate lets in. */
  readonly commit: string
  /** As the operator's command makes it. */
  token(host: string): Promise<string>
  /** To make certificates that the CA might have made at another time. */
  authority(): Promise<Authority>
}

/** @param lifetime of the certificates */
export async function caReceiver(lifetime = '30d'): Promise<CaReceiver> {
  const root = mkdtempSync(join(tmpdir(), 'cis490-ca-'))
  const repo = new GitRepo(join(root, 'history'))
  const commit = repo.commit()
  const store = join(root, 'store')
  const files = (name: string, folder: string) => ({
    cert_file: join(store, folder, `${name}.crt`),
    key_file: join(store, folder, `${name}.key`),
  })
  const config = ReceiverConfig.parse({
    listen: '127.0.0.1:0',
    ops_listen: '127.0.0.1:0',
    state_dir: store,
    tls: files('server', 'tls'),
    ca: { ...files('ca', 'ca'), lifetime, server_names: ['127.0.0.1', 'localhost'] },
    version_gate: { repo_path: repo.path },
    limits: { headroom: '0' },
  })
  const log = capturedLog()
  const running = await startReceiver(config, log.log)
  const caPem = readFileSync(join(store, 'ca', 'ca.crt'), 'utf8')
  const tokens = new TokenStore(caPaths(store).tokens)
  return {
    url: running.url,
    store,
    commit,
    log,
    caPem,
    token: async (host) =>
      writeToken(await tokens.create(HostName.parse(host), fingerprintOf(caPem), { now: Date.now(), ms: 60_000 }, 'somebody')),
    [Symbol.asyncDispose]: async () => {
      await running.stop(false)
      rmSync(root, { recursive: true, force: true })
    },
    authority: () => loadAuthority(caPem, readFileSync(join(store, 'ca', 'ca.key'), 'utf8')),
  }
}

export interface NewHost {
  readonly name: string
  readonly config: AgentConfig
  readonly configFile: string
  readonly home: string
  /** PEM as it is on the disk now. */
  cert(): string
  key(): string
}

/** A host whose certificate files are to be, in folders that are not there yet. */
export function newHost(url: string, name = 'lab-07'): NewHost {
  const home = scratchDir()
  for (const folder of ['episodes', 'outbox', 'state']) mkdirSync(join(home, folder))
  const tls = join(home, 'state', 'tls')
  const receiver = { url, ca_file: `${tls}/ca.crt`, cert_file: `${tls}/host.crt`, key_file: `${tls}/host.key` }
  const paths = { episodes: `${home}/episodes`, outbox: `${home}/outbox`, state: `${home}/state` }
  const configFile = join(home, 'lab-host.toml')
  const table = (values: object) =>
    Object.entries(values)
      .map(([key, value]) => `${key} = "${value}"\n`)
      .join('')
  writeFileSync(
    configFile,
    `[host]\nname = "${name}"\n[receiver]\n${table(receiver)}[paths]\n${table(paths)}[quota]\nreserve = "0"\n`,
  )
  return {
    name,
    config: AgentConfig.parse({ host: { name }, receiver, paths, quota: { reserve: '0' } }),
    configFile,
    home,
    cert: () => readFileSync(receiver.cert_file, 'utf8'),
    key: () => readFileSync(receiver.key_file, 'utf8'),
  }
}
