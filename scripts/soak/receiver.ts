/** A receiver that is killed again and again. The next process loads its code while the present one serves, and touches nothing until it is told to. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { cpuSeconds } from './cpu.ts'

const launcher = fileURLToPath(new URL('../../packages/receiver/bin/cis490-receiver', import.meta.url))
const preload = new URL('./preload.ts', import.meta.url).href

/** None outlives the soak, however that ends. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Processor seconds: until its code was loaded, from then on until it listened, and serving. */
export interface LifeCost {
  readonly load: number
  readonly start: number
  readonly serve: number
}

export class SoakReceiver {
  readonly ended: Promise<Ending>
  #cpuLoaded = 0
  #cpuListening = 0
  readonly #child: ChildProcess
  readonly #loaded = Promise.withResolvers<void>()
  readonly #listening = Promise.withResolvers<string>()

  private constructor(child: ChildProcess, onRow: (row: Record<string, unknown>) => void) {
    this.#child = child
    running.add(child)
    onLines(child, (line) => {
      // By far the most lines: one for each upload.
      if (line.includes('"event":"stored"')) return
      const row = parseObject(line)
      if (!row) return
      onRow(row)
      if (row['event'] === 'loaded') {
        this.#cpuLoaded = cpuSeconds(child.pid)
        this.#loaded.resolve()
      }
      if (row['event'] === 'listening' && row['listener'] === 'receiver') {
        this.#cpuListening = cpuSeconds(child.pid)
        this.#listening.resolve(String(row['url']))
      }
    })
    this.ended = once(child, 'close').then(([code, signal]) => {
      running.delete(child)
      const gone = new Error(`the receiver ended with ${code ?? signal} before it listened`)
      this.#loaded.reject(gone)
      this.#listening.reject(gone)
      return { code, signal } as Ending
    })
    for (const promise of [this.#loaded.promise, this.#listening.promise]) promise.catch(() => undefined)
  }

  /** @param dir for the compile cache and the log. @param onRow gets each line of the program's log */
  static load(config: string, dir: string, onRow: (row: Record<string, unknown>) => void): SoakReceiver {
    const { JOURNAL_STREAM: _, ...inherited } = process.env
    const env = { ...inherited, NODE_COMPILE_CACHE: join(dir, 'compile-cache'), NODE_OPTIONS: `--import=${preload}` }
    const child = spawn(launcher, ['serve', '--config', config], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    const log = createWriteStream(join(dir, 'receiver.log'), { flags: 'a', mode: 0o640 })
    child.stderr?.pipe(log, { end: false })
    child.once('close', () => log.end())
    child.stdin?.on('error', () => undefined)
    return new SoakReceiver(child, (row) => {
      log.write(`${JSON.stringify(row)}\n`)
      onRow(row)
    })
  }

  /** Resolves when it has its code. @throws Error when it ends before */
  get loaded(): Promise<void> {
    return this.#loaded.promise
  }

  /** So far. */
  cost(): LifeCost {
    const all = cpuSeconds(this.#child.pid)
    const loaded = this.#cpuLoaded || all
    const listening = this.#cpuListening || all
    return { load: loaded, start: listening - loaded, serve: all - listening }
  }

  /** Lets it begin. */
  async start(): Promise<void> {
    await this.#loaded.promise
    this.#child.stdin?.end('\n')
  }

  /** @returns its address. @throws Error when it ends before */
  get listening(): Promise<string> {
    return this.#listening.promise
  }

  async end(signal: 'SIGKILL' | 'SIGINT'): Promise<Ending> {
    this.#child.kill(signal)
    return await this.ended
  }
}

/** Complete lines of its log. */
function onLines({ stdout }: ChildProcess, hear: (line: string) => void): void {
  let rest = ''
  stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) hear(line)
  })
}
