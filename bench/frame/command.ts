/** Runs a command line to its end and says what it took. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpuOfEnded, peakOf } from './process-tree.ts'

const lookEveryMs = 20

export interface CommandResult {
  readonly seconds: number
  /** CPU of the command and of all that it waited for. Nothing else of ours may end meanwhile. */
  readonly cpu_s: number
  /** Most memory that its processes held, added up; looked at every 20 ms. */
  readonly rss: number
  readonly stdout: string
}

/** @throws Error with the end of what it said when it does not end with 0 */
export async function runCommand(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
  const cpu = cpuOfEnded()
  const begun = performance.now()
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let [stdout, stderr, rss] = ['', '', 0]
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const look = () => {
    if (child.pid !== undefined) rss = Math.max(rss, peakOf([child.pid]))
  }
  const timer = setInterval(look, lookEveryMs)
  const seconds = once(child, 'exit').then(() => (performance.now() - begun) / 1000)
  // A program that is not there ends both waits; the other one is awaited below.
  seconds.catch(() => undefined)
  const [code, signal] = (await once(child, 'close').finally(() => clearInterval(timer))) as [number | null, string | null]
  if (code !== 0) throw new Error(`${file} ended with ${code ?? signal}: ${(stderr || stdout).trim().slice(-400)}`)
  return { seconds: await seconds, cpu_s: cpuOfEnded() - cpu, rss, stdout }
}
