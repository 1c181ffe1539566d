/** One of the programs as a real process, with its output line by line. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export type ProgramName = 'agent' | 'receiver' | 'fleet'

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export class Program implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Finished>
  stdout = ''
  stderr = ''
  #waiting = new Set<() => void>()

  constructor(name: ProgramName, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const main = fileURLToPath(new URL(`../../packages/${name}/src/main.ts`, import.meta.url))
    const { JOURNAL_STREAM: _, ...inherited } = process.env
    this.child = spawn(process.execPath, [main, ...args], { env: { ...inherited, ...env } })
    const { promise, resolve } = Promise.withResolvers<Finished>()
    this.ended = promise
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => this.#heard(() => (this.stdout += text)))
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => this.#heard(() => (this.stderr += text)))
    this.child.on('close', (code, signal) => {
      this.#heard(() => undefined)
      resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
    })
  }

  #heard(take: () => void): void {
    take()
    for (const look of this.#waiting) look()
  }

  /** The first JSON line on stdout that has these fields. Fails when the program ends before. */
  async line(fields: Record<string, unknown>): Promise<Record<string, unknown>> {
    return await this.until(() =>
      this.stdout
        .split('\n')
        .filter((text) => text.startsWith('{') && text.endsWith('}'))
        .map((text) => JSON.parse(text) as Record<string, unknown>)
        .find((row) => Object.entries(fields).every(([key, value]) => row[key] === value)),
    )
  }

  /** Asks again whenever the program writes something. */
  async until<T>(find: () => T | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const look = () => {
      const found = find()
      if (found !== undefined) resolve(found)
      else if (this.child.exitCode !== null || this.child.signalCode !== null)
        reject(new Error(`it ended (${this.child.exitCode ?? this.child.signalCode}) before:\n${this.stdout}\n${this.stderr}`))
    }
    this.#waiting.add(look)
    this.child.once('close', look)
    look()
    return await promise.finally(() => this.#waiting.delete(look))
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL')
    await this.ended
  }
}

/** Runs a one-shot command to its end. */
export async function runToEnd(name: ProgramName, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Finished> {
  return await new Program(name, args, env).ended
}
