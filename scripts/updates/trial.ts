/** A forge, a host's checkout and daemon, and a receiver, in a folder of their own. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeCertificates } from '../local-fleet/certificates.ts'
import type { Children } from '../local-fleet/children.ts'
import { type AgentPlace, writeAgentConfig, writeReceiverConfig } from '../local-fleet/configs.ts'
import { startReceiver } from '../local-fleet/listening.ts'
import { type TinyVersion, writeTiny } from './tiny.ts'
import { runUpdater, type Surroundings, type UpdaterRun } from './updater.ts'

const who = ['-c', 'user.name=trial', '-c', 'user.email=trial@cis490.invalid']

export class Trial implements AsyncDisposable {
  readonly dir: string
  readonly forge: string
  readonly checkout: string
  readonly #bin: string[]
  #agent: AgentPlace | undefined
  #episodes = 0
  readonly #versions: number[] = []
  #besides = 0

  /** @param exchange with a mv that exchanges two folders at once, as newer ones do */
  constructor(dir: string, exchange = false) {
    this.dir = dir
    this.forge = join(dir, 'forge.git')
    this.checkout = join(dir, 'opt/cis490')
    this.#bin = [join(dir, 'bin')]
    mkdirSync(join(dir, 'bin'), { recursive: true })
    process.once('exit', () => this.killDaemons())
    symlinkSync(join(import.meta.dirname, 'systemctl'), join(dir, 'bin/systemctl'))
    if (exchange) symlinkSync(join(import.meta.dirname, 'exchanging-mv'), join(dir, 'bin/mv'))
    mkdirSync(join(dir, 'author'))
    this.git(dir, 'init', '--quiet', '--bare', '--initial-branch=main', this.forge)
    this.git(dir, 'init', '--quiet', '--initial-branch=main', join(dir, 'author'))
  }

  get at(): Surroundings {
    return { dir: this.dir, checkout: this.checkout, config: this.agent.config, bin: this.#bin }
  }

  get agent(): AgentPlace {
    if (!this.#agent) throw new Error('begin comes first')
    return this.#agent
  }

  git(repo: string, ...args: string[]): string {
    return execFileSync('git', ['-C', repo, '-c', 'commit.gpgsign=false', ...who, ...args], { encoding: 'utf8' }).trim()
  }

  /** Commits the next version and pushes it. @returns its commit */
  publish(more: Omit<TinyVersion, 'version'> = {}, ...options: string[]): string {
    const author = join(this.dir, 'author')
    const version = (this.#versions.at(-1) ?? 0) + 1
    this.#versions.push(version)
    writeTiny(author, { version, ...more })
    this.git(author, 'add', '--all')
    this.git(author, ...options, 'commit', '--quiet', '-m', `version ${version}`)
    this.git(author, 'push', '--quiet', '--force', this.forge, 'HEAD:main')
    return this.head(author)
  }

  head(repo = this.checkout): string {
    return this.git(repo, 'rev-parse', 'HEAD')
  }

  /** Version 1 is there and set up, the configuration too. @param children with them: a receiver. @param toml appended to lab-host.toml */
  async begin(children?: Children, toml = ''): Promise<void> {
    this.publish()
    this.git(this.dir, 'clone', '--quiet', this.forge, this.checkout)
    const part = join(this.checkout, 'node_modules/cis490-part')
    mkdirSync(part, { recursive: true })
    execFileSync('tar', ['-xzf', join(this.checkout, 'part.tgz'), '--strip-components=1', '-C', part])
    await this.configure(children, toml)
  }

  async configure(children?: Children, toml = ''): Promise<void> {
    const certificates = await makeCertificates(join(this.dir, 'certificates'), ['lab-07'])
    let url = 'https://127.0.0.1:1'
    if (children) {
      const head = this.head(this.forge) as Parameters<typeof writeReceiverConfig>[2]['head']
      const history = { path: this.forge, branch: 'main', head, dirty: false, made: true }
      url = (await startReceiver(children, (await writeReceiverConfig(this.dir, certificates, history)).config)).url
    }
    this.#agent = await writeAgentConfig(this.dir, 'lab-07', url, certificates)
    writeFileSync(this.#agent.config, `${readFileSync(this.#agent.config, 'utf8')}${toml}`)
  }

  /** More of lab-host.toml. @returns takes it back */
  configureMore(toml: string): () => void {
    const before = readFileSync(this.agent.config, 'utf8')
    writeFileSync(this.agent.config, `${before}${toml}`)
    return () => writeFileSync(this.agent.config, before)
  }

  /** From now on a receiver runs from the checkout too. */
  async addReceiver(): Promise<void> {
    this.#besides = await freePort()
    writeFileSync(join(this.dir, 'beside.toml'), `ops_listen = "127.0.0.1:${this.#besides}"\n`)
    if (!this.systemctl('start', 'cis490-receiver')) throw new Error('the receiver of the checkout does not start')
  }

  /** What the receiver of the checkout says that it runs; undefined: it does not answer. */
  async told(): Promise<string | undefined> {
    const answer = await fetch(`http://127.0.0.1:${this.#besides}/metrics`).catch(() => undefined)
    return /commit="(\w+)"/.exec((await answer?.text()) ?? '')?.[1]
  }

  update(options: { cut?: string; env?: NodeJS.ProcessEnv; args?: string[] } = {}): Promise<UpdaterRun> {
    return runUpdater(this.at, options.args ?? [], options)
  }

  /** What is done at boot, and after a run that was killed. */
  repair(options: { cut?: string } = {}): Promise<UpdaterRun> {
    return runUpdater(this.at, ['repair'], options)
  }

  /** @param word and a unit; the agent's daemon where none is named */
  systemctl(word: string, unit = 'cis490-orchestrator'): boolean {
    try {
      const env = { ...process.env, CIS490_CHECKOUT: this.checkout, CIS490_CONFIG: this.agent.config, CIS490_TRIAL: this.dir }
      const more = { CIS490_TRIAL_PROGRAM: join(import.meta.dirname, '../..'), CIS490_TRIAL_NODE: process.execPath }
      execFileSync(join(this.dir, 'bin/systemctl'), [word, unit], {
        env: { ...env, ...more },
        stdio: 'ignore',
      })
      return true
    } catch {
      return false
    }
  }

  result(): Record<string, string> {
    return JSON.parse(readFileSync(join(this.agent.state, 'update/result.json'), 'utf8')) as Record<string, string>
  }

  /** What is wrong with the checkout: it has to be one of these commits, complete, with the libraries of that commit. */
  faults(commits: readonly string[]): string[] {
    if (!existsSync(this.checkout)) return ['there is no checkout']
    const changed = this.git(this.checkout, 'status', '--porcelain')
    const version = (path: string) => readFileSync(join(this.checkout, path), 'utf8')
    return [
      ...(commits.includes(this.head()) ? [] : [`it is at ${this.head()}`]),
      ...(changed === '' ? [] : [`it differs from its commit: ${changed}`]),
      ...(version('version') === version('node_modules/cis490-part/version') ? [] : ['it has the libraries of another version']),
      ...(this.git(this.checkout, 'symbolic-ref', '--short', 'HEAD') === 'main' ? [] : ['it is on no branch']),
      ...(this.git(this.checkout, 'remote', 'get-url', 'origin') === this.forge ? [] : ['it has lost its forge']),
    ]
  }

  /** Records an episode and waits until the receiver has it. @throws where it does not come within 20 s */
  async deliver(commit = this.recorded): Promise<void> {
    const id = `trial-${++this.#episodes}`
    const folder = join(this.agent.episodes, id)
    mkdirSync(folder)
    writeFileSync(join(folder, 'telemetry.csv'), '1,2,3\n')
    const meta = { schema_version: 1, episode_id: id, code_version: { commit } }
    writeFileSync(join(folder, 'meta.json'), JSON.stringify(meta))
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), 1_700_000_000, 1_700_000_000)
    const index = join(this.dir, 'receiver/index.jsonl')
    for (const deadline = performance.now() + 20_000; performance.now() < deadline; await sleep(25))
      if (existsSync(index) && readFileSync(index, 'utf8').includes(`"${id}"`)) return
    throw new Error(`${id} does not arrive: ${readFileSync(join(this.dir, 'daemon.log'), 'utf8').slice(-500)}`)
  }

  /** The commit that recordings are stamped with: known to the receiver, and, however many versions a long run makes, not too old for it. */
  get recorded(): string {
    return this.git(this.forge, 'rev-list', '--max-count=11', 'main').split('\n').at(-1) ?? ''
  }

  /** SIGKILL, as a power cut does. */
  killDaemons(): void {
    for (const path of ['daemon.pid', 'beside.pid'].map((name) => join(this.dir, name)))
      if (existsSync(path)) execFileSync('bash', ['-c', 'kill -KILL "$(cat "$0")" 2>/dev/null || true', path])
  }

  /** A program in front of all others of its name. */
  stub(name: string, text: string): void {
    writeFileSync(join(this.dir, 'bin', name), text)
    chmodSync(join(this.dir, 'bin', name), 0o755)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.killDaemons()
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
