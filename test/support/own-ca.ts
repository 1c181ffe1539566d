/** A receiver with a CA of its own that can be stopped and started again, and requests as openssl makes them. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { stringify } from 'smol-toml'
import { type Receiver, startReceiver } from '../../packages/receiver/src/app.ts'
import { type Authority, loadAuthority } from '../../packages/receiver/src/ca/authority.ts'
import { caPaths } from '../../packages/receiver/src/ca/paths.ts'
import { TokenStore } from '../../packages/receiver/src/ca/token-store.ts'
import { ReceiverConfig } from '../../packages/receiver/src/config.ts'
import { writeToken } from '../../packages/receiver/src/core/join-token.ts'
import { type CapturedLog, capturedLog } from './captured-log.ts'
import { fingerprintOf, type Pki } from './pki.ts'
import type { Reachable } from './wire.ts'

export class OwnCa implements Reachable, AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'cis490-own-ca-'))
  readonly store = join(this.dir, 'store')
  readonly configFile = join(this.dir, 'receiver.toml')
  readonly caFile = join(this.store, 'ca', 'ca.crt')
  readonly caKeyFile = join(this.store, 'ca', 'ca.key')
  readonly captured: CapturedLog = capturedLog()
  readonly #settings: Record<string, unknown>
  #running: Receiver | undefined
  #pki: Pki | undefined

  private constructor(lifetime: string, auth: object) {
    this.#settings = {
      listen: '127.0.0.1:0',
      ops_listen: '127.0.0.1:0',
      state_dir: this.store,
      tls: { cert_file: join(this.store, 'tls', 'server.crt'), key_file: join(this.store, 'tls', 'server.key') },
      auth,
      ca: { cert_file: this.caFile, key_file: this.caKeyFile, lifetime, server_names: ['localhost', '127.0.0.1'] },
      version_gate: { enabled: false },
      limits: { headroom: '0' },
    }
    writeFileSync(this.configFile, stringify(this.#settings))
  }

  static async start(lifetime = '30d', auth: object = {}): Promise<OwnCa> {
    const made = new OwnCa(lifetime, auth)
    await made.restart()
    return made
  }

  /** @param between while it does not run */
  async restart(between: () => void = () => undefined): Promise<void> {
    await this.#running?.stop(false)
    between()
    this.#running = await startReceiver(ReceiverConfig.parse(this.#settings), this.captured.log)
  }

  get url(): string {
    return this.#running?.url ?? ''
  }

  get opsUrl(): string {
    return this.#running?.opsUrl ?? ''
  }

  get caPem(): string {
    return readFileSync(this.caFile, 'utf8')
  }

  /** What the client of these tests believes. */
  get pki(): Pki {
    this.#pki ??= { authority: { certPem: this.caPem } } as Pki
    return this.#pki
  }

  /** To make certificates that the CA might have made at another time. */
  authority(): Promise<Authority> {
    return loadAuthority(this.caPem, readFileSync(this.caKeyFile, 'utf8'))
  }

  /** As the operator's command makes it. */
  async token(host = 'lab-07', { now = Date.now(), pin = fingerprintOf(this.caPem) } = {}): Promise<string> {
    const store = new TokenStore(caPaths(this.store).tokens)
    return writeToken(await store.create(HostName.parse(host), pin, { now, ms: 60_000 }, 'somebody'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.stop(false)
    rmSync(this.dir, { recursive: true, force: true })
  }
}

export interface Requested {
  readonly keyPem: string
  /** PKCS #10, PEM. */
  readonly request: string
}

/** A new P-256 key and its request. */
export function requestFor(subject = '/CN=lab-07'): Requested {
  const args = ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '-', '-subj', subject]
  const text = execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const block = (kind: string) => new RegExp(`-----BEGIN ${kind}-----[\\s\\S]+-----END ${kind}-----\n`).exec(text)?.[0] ?? ''
  return { keyPem: block('PRIVATE KEY'), request: block('CERTIFICATE REQUEST') }
}

/** The certificates in an answer of EST, as PEM, by openssl. */
export function certificatesIn(body: Buffer): string[] {
  const der = Buffer.from(body.toString(), 'base64')
  const text = execFileSync('openssl', ['pkcs7', '-inform', 'DER', '-print_certs'], { input: der, encoding: 'utf8' })
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n/g) ?? []
}
