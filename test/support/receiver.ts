/** A receiver in this process over real TLS, with a small git history as the gate's reference and a store of its own. */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GateAnswer } from '@cis490/shared/gate-answer.ts'
import { type Receiver, startReceiver } from '../../packages/receiver/src/app.ts'
import { ReceiverConfig } from '../../packages/receiver/src/config.ts'
import { type CapturedLog, capturedLog } from './captured-log.ts'
import { GitRepo } from './git-repo.ts'
import { makePki, type Pki } from './pki.ts'

export type Row = Record<string, unknown>
type Section = Record<string, unknown>

/** What differs from the defaults of these tests, by section. */
export interface Settings {
  readonly limits?: Section
  readonly auth?: Section
  readonly version_gate?: Section
  readonly ingest?: Section
  readonly receipts?: Section
  readonly update?: Section
  readonly drain?: string
  readonly max_episode_size?: number | string
  /** Plain HTTP, without certificates. */
  readonly plain?: boolean
  /** An existing store; a new one else. */
  readonly stateDir?: string
}

/** Certificates and a history of four commits, of which the gate's window holds three. */
export class Site implements AsyncDisposable {
  readonly root: string
  readonly pki: Pki
  readonly repo: GitRepo
  /** Newest first; the last one is outside the window. */
  readonly commits: readonly string[]
  readonly #running: TestReceiver[] = []
  #stores = 0

  private constructor(root: string, pki: Pki, repo: GitRepo) {
    this.root = root
    this.pki = pki
    this.repo = repo
    this.commits = repo.log()
  }

  static async make(): Promise<Site> {
    const root = await mkdtemp(join(tmpdir(), 'cis490-wire-'))
    await mkdir(join(root, 'pki'))
    const repo = new GitRepo(join(root, 'history'))
    repo.commit(4)
    return new Site(root, await makePki(join(root, 'pki')), repo)
  }

  get head(): string {
    return this.commits[0] as string
  }

  get tooOld(): string {
    return this.commits[3] as string
  }

  /** A place for a store that does not exist yet. */
  newStateDir(): string {
    this.#stores += 1
    return join(this.root, `store-${this.#stores}`)
  }

  /** The configuration as it would stand in receiver.toml. */
  settings(settings: Settings = {}): Record<string, unknown> {
    const { limits, auth, version_gate, ingest, plain, stateDir, ...rest } = settings
    return {
      listen: '127.0.0.1:0',
      ops_listen: '127.0.0.1:0',
      state_dir: stateDir ?? this.newStateDir(),
      ...(plain ? {} : { tls: { cert_file: this.pki.server.certFile, key_file: this.pki.server.keyFile } }),
      auth: { ...(plain ? {} : { client_ca_file: this.pki.caFile }), ...auth },
      version_gate: version_gate ?? { repo_path: this.repo.path, window: 3, refresh: '50ms' },
      ingest: ingest ?? {},
      limits: { headroom: '0', connections_per_host: 64, ...limits },
      ...rest,
    }
  }

  async start(settings: Settings = {}): Promise<TestReceiver> {
    const config = ReceiverConfig.parse(this.settings(settings))
    const captured = capturedLog()
    const receiver = new TestReceiver(this, config, await startReceiver(config, captured.log), captured)
    this.#running.push(receiver)
    return receiver
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const receiver of this.#running) await receiver.stop()
    await rm(this.root, { recursive: true, force: true })
  }
}

export class TestReceiver {
  readonly site: Site
  readonly pki: Pki
  readonly config: ReceiverConfig
  readonly running: Receiver
  readonly log: CapturedLog
  readonly stateDir: string
  #stopped: Promise<void> | undefined

  constructor(site: Site, config: ReceiverConfig, running: Receiver, log: CapturedLog) {
    this.site = site
    this.pki = site.pki
    this.config = config
    this.running = running
    this.log = log
    this.stateDir = config.state_dir
  }

  get url(): string {
    return this.running.url
  }

  get opsUrl(): string {
    return this.running.opsUrl
  }

  /** @param announce as after SIGTERM: 503 for a moment before the listener closes */
  stop(announce = false): Promise<void> {
    this.#stopped ??= this.running.stop(announce)
    return this.#stopped
  }

  incoming(): Promise<string[]> {
    return readdir(join(this.stateDir, 'incoming'))
  }

  index(): Promise<Row[]> {
    return readRows(join(this.stateDir, 'index.jsonl'))
  }

  rejects(): Promise<Row[]> {
    return readRows(join(this.stateDir, 'rejects.jsonl'))
  }

  async gate(): Promise<GateAnswer> {
    return (await (await fetch(`${this.opsUrl}/v1/gate`)).json()) as GateAnswer
  }
}

/** Rows of a JSON lines file; none where it does not exist. */
export async function readRows(path: string): Promise<Row[]> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Row)
}

/** Looks again until it is so. @throws Error with what was seen last when `deadlineMs` has passed */
export async function eventually<T>(
  look: () => Promise<T> | T,
  isSo: (seen: T) => boolean = Boolean,
  deadlineMs = 15_000,
): Promise<T> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const seen = await look()
    if (isSo(seen)) return seen
    if (performance.now() > end) throw new Error(`not so after ${deadlineMs} ms; last seen: ${JSON.stringify(seen)}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
