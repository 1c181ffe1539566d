/** The harness's end of a worker. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Finding, Told } from './scenario.ts'
import type { Job, Line } from './worker.ts'

/** Far above what a job takes, on a machine that has other work too. */
const jobTimeoutMs = 240_000

export interface Ended {
  readonly told: readonly Told[]
  readonly findings: readonly Finding[]
  /** killed: by the shim, as planned. */
  readonly how: 'done' | 'failed' | 'killed' | 'died' | 'hang'
  readonly message: string
}

export class WorkerProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #closed: Promise<void>
  #stderr = ''
  #over = false
  #hear: (line: Line) => void = () => undefined

  /** @param root of the sources that it runs @param cache of compiled modules @param shim preloaded where given */
  constructor(root: string, cache: string, shim: string | undefined) {
    const env = { ...process.env, NODE_COMPILE_CACHE: cache, ...(shim !== undefined && { LD_PRELOAD: shim }) }
    this.#child = spawn(process.execPath, [join(root, 'scripts/crash/worker.ts')], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4000)
    })
    this.#child.stdin?.on('error', () => undefined)
    createInterface(this.#child.stdout as NodeJS.ReadableStream).on('line', (line) => this.#hear(JSON.parse(line) as Line))
    this.#closed = once(this.#child, 'close').then(() => {
      this.#over = true
    })
  }

  get over(): boolean {
    return this.#over
  }

  async run(job: Job): Promise<Ended> {
    const told: Told[] = []
    const { promise, resolve } = Promise.withResolvers<Ended>()
    const end = (how: Ended['how'], message = '', findings: readonly Finding[] = []) => resolve({ told, findings, how, message })
    this.#hear = (line) => {
      if ('told' in line) told.push(line.told)
      else if ('failed' in line) end('failed', line.failed)
      else end('done', '', line.findings)
    }
    const timer = setTimeout(() => {
      end('hang', `no end after ${jobTimeoutMs / 1000} s`)
      this.#child.kill('SIGKILL')
    }, jobTimeoutMs)
    void this.#closed.then(() => {
      const { signalCode, exitCode } = this.#child
      end(signalCode === 'SIGKILL' ? 'killed' : 'died', `${signalCode ?? `exit ${exitCode}`} ${this.#stderr}`.trim())
    })
    this.#child.stdin?.write(`${JSON.stringify(job)}\n`)
    return await promise.finally(() => clearTimeout(timer))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end()
    this.#child.kill('SIGKILL')
    await this.#closed
  }
}
