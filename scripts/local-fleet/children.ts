/** The programs that this one starts: their output goes to files, and none outlives us. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const checkout = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
export const programs = {
  agent: join(checkout, 'packages/agent/bin/cis490-agent'),
  receiver: join(checkout, 'packages/receiver/bin/cis490-receiver'),
  fleet: join(checkout, 'packages/fleet/bin/cis490-fleet'),
  node: process.execPath,
}

export interface Child {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  /** Exit code, or the signal's name. Never rejects. */
  readonly ended: Promise<number | string>
}

export interface StartOptions {
  readonly onLine?: (line: string) => void
  /** On a terminal the child draws its own progress there. */
  readonly stderr?: 'inherit' | 'pipe'
  readonly onStart?: (pid: number) => void
}

/** A child that did not do what it should, with the end of what it said. */
export class ChildFailed extends Error {
  override readonly name = 'ChildFailed'
  constructor(child: Child, what: string) {
    const said = [...child.stdout, ...child.stderr].slice(-8).map((line) => `  | ${line}`)
    super([`${child.name} ${what}`, ...said, `  all of it: ${child.logFile}`].join('\n'))
  }
}

const keptLines = 5000
const patienceMs = 1500

export class Children {
  readonly #running = new Map<ChildProcess, Child>()
  readonly #logs: string
  #closed = false

  constructor(logs: string) {
    this.#logs = logs
    // The last resort, for an end that nobody planned.
    process.once('exit', () => this.#signal('SIGKILL'))
  }

  start(name: string, file: string, args: readonly string[], options: StartOptions = {}): Child {
    if (this.#closed) throw new Error(`${name} is not started any more: everything is being stopped`)
    const { JOURNAL_STREAM: _, ...env } = process.env
    // In a group of its own: a terminal's Ctrl-C comes to us alone, and the child gets one signal, not two.
    const process_ = spawn(file, args, { stdio: ['ignore', 'pipe', options.stderr ?? 'pipe'], env, detached: true })
    const logFile = join(this.#logs, `${name}.log`)
    const log = createWriteStream(logFile, { flags: 'a', mode: 0o640 })
    const keep = (lines: string[]) => (line: string) => {
      log.write(`${line}\n`)
      if (lines.push(line) > keptLines) lines.shift()
      options.onLine?.(line)
    }
    const stdout: string[] = []
    const stderr: string[] = []
    if (process_.stdout) createInterface(process_.stdout).on('line', keep(stdout))
    if (process_.stderr) createInterface(process_.stderr).on('line', keep(stderr))
    const ended = endOf(process_).then(async (ending) => {
      // Nothing of the child may be written any more once it counts as ended: its folder may go.
      await new Promise<void>(
        (resolve) =>
          void log
            .once('close', () => resolve())
            .once('error', () => resolve())
            .end(),
      )
      this.#running.delete(process_)
      return ending
    })
    const child: Child = { name, pid: process_.pid ?? 0, logFile, stdout, stderr, ended }
    this.#running.set(process_, child)
    options.onStart?.(child.pid)
    return child
  }

  /** Runs a command to its end. @throws ChildFailed when its exit code is none of `expected` */
  async run(
    name: string,
    file: string,
    args: readonly string[],
    expected: readonly number[],
    options?: StartOptions,
  ): Promise<Child> {
    const child = this.start(name, file, args, options)
    const ending = await child.ended
    if (expected.some((code) => code === ending)) return child
    throw new ChildFailed(child, `ended with ${ending}, not with ${expected.join(' or ')}`)
  }

  /** SIGINT, because a person waits, and SIGKILL after 1.5 s. Nothing runs any more when this returns. */
  async stop(): Promise<void> {
    this.#closed = true
    this.#signal('SIGINT')
    const all = Promise.all([...this.#running.values()].map((child) => child.ended))
    const timer = new AbortController()
    const late = sleep(patienceMs, undefined, { signal: timer.signal }).then(
      () => this.#signal('SIGKILL'),
      () => undefined,
    )
    await Promise.race([all, late])
    timer.abort()
    await all
  }

  #signal(signal: NodeJS.Signals): void {
    for (const process_ of this.#running.keys()) process_.kill(signal)
  }
}

async function endOf(process_: ChildProcess): Promise<number | string> {
  try {
    const [code, signal] = (await once(process_, 'close')) as [number | null, string | null]
    return code ?? signal ?? 'an unknown end'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
