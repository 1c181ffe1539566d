/** A receiver and one lab host's agent as real processes, over mutual TLS, with a git history as the gate's reference. */
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GitRepo } from './git-repo.ts'
import { makePki, type Pki } from './pki.ts'
import { type Finished, Program, runToEnd } from './program.ts'

export class Lab implements AsyncDisposable {
  readonly root: string
  readonly pki: Pki
  readonly repo: GitRepo
  readonly #receivers: Program[] = []

  private constructor(root: string, pki: Pki) {
    this.root = root
    this.pki = pki
    this.repo = new GitRepo(join(root, 'history'))
    this.repo.commit()
  }

  static async make(): Promise<Lab> {
    const root = await mkdtemp(join(tmpdir(), 'cis490-lab-'))
    for (const name of ['store', 'episodes', 'pki']) await mkdir(join(root, name))
    return new Lab(root, await makePki(join(root, 'pki')))
  }

  /** @param toml appended to receiver.toml. @returns its address */
  async startReceiver(toml = ''): Promise<string> {
    return (await this.startReceiverProgram(toml)).url
  }

  /** The same, with the process. */
  async startReceiverProgram(toml = '', env: NodeJS.ProcessEnv = {}): Promise<{ url: string; program: Program }> {
    const { server, caFile } = this.pki
    await writeFile(
      join(this.root, 'receiver.toml'),
      `listen = "127.0.0.1:0"\nops_listen = "127.0.0.1:0"\nstate_dir = "${join(this.root, 'store')}"\n` +
        `[tls]\ncert_file = "${server.certFile}"\nkey_file = "${server.keyFile}"\n[auth]\nclient_ca_file = "${caFile}"\n` +
        `[limits]\nheadroom = "0"\n[version_gate]\nrefresh = "50ms"\nrepo_path = "${this.repo.path}"\n${toml}`,
    )
    const receiver = new Program('receiver', ['serve', '--config', join(this.root, 'receiver.toml')], env)
    this.#receivers.push(receiver)
    const { url } = await receiver.line({ event: 'listening', listener: 'receiver' })
    await this.configureAgent(String(url))
    return { url: String(url), program: receiver }
  }

  /** kill -9. @returns when it is gone */
  async killReceiver(): Promise<void> {
    const receiver = this.#receivers.at(-1)
    receiver?.kill('SIGKILL')
    await receiver?.ended
  }

  async configureAgent(url: string, toml = ''): Promise<void> {
    const { host, caFile } = this.pki
    await writeFile(
      this.agentConfig,
      `[receiver]\nurl = "${url}"\nca_file = "${caFile}"\ncert_file = "${host.certFile}"\nkey_file = "${host.keyFile}"\n` +
        `[paths]\nepisodes = "${this.path('episodes')}"\noutbox = "${this.path('outbox')}"\nstate = "${this.path('state')}"\n` +
        `[quota]\nreserve = "0"\n${toml}`,
    )
  }

  get agentConfig(): string {
    return this.path('lab-host.toml')
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts)
  }

  /** A finished recording stamped with `commit`. */
  async record(id: string, commit: string | undefined, bytes: Uint8Array | string = 'some telemetry\n'): Promise<void> {
    const folder = this.path('episodes', id)
    await mkdir(folder)
    await writeFile(join(folder, 'telemetry.bin'), bytes)
    const meta = { episode_id: id, schema_version: 1, ...(commit === undefined ? {} : { code_version: { commit } }) }
    await writeFile(join(folder, 'meta.json'), JSON.stringify(meta))
    const at = new Date()
    for (const name of ['telemetry.bin', 'meta.json']) await utimes(join(folder, name), at, at)
  }

  agent(command: string, ...args: string[]): Promise<Finished> {
    return runToEnd('agent', [command, ...args, '--config', this.agentConfig])
  }

  startAgent(): Program {
    return new Program('agent', ['run', '--config', this.agentConfig])
  }

  /** Rows of the receiver's index. */
  async index(): Promise<Record<string, unknown>[]> {
    return rows(await readFile(this.path('store', 'index.jsonl'), 'utf8').catch(() => ''))
  }

  async rejects(): Promise<Record<string, unknown>[]> {
    return rows(await readFile(this.path('store', 'rejects.jsonl'), 'utf8').catch(() => ''))
  }

  async outbox(): Promise<string[]> {
    return (await readdir(this.path('outbox'))).sort()
  }

  async episodes(): Promise<string[]> {
    return (await readdir(this.path('episodes'))).sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const receiver of this.#receivers) await receiver[Symbol.asyncDispose]()
    await rm(this.root, { recursive: true, force: true })
  }
}

function rows(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
