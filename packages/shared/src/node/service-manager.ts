/**
 * The service manager that started this process, by sd_notify. Node has no datagram sockets of the Unix kind, so systemd's own
 * tool carries each word (some 10 ms of a processor); the unit needs NotifyAccess=all for that.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { messageOf } from './errno.ts'
import type { Logger } from './log.ts'

const run = promisify(execFile)

/** Milliseconds. The manager takes up a word in one; the tool itself gives up after five seconds. */
const patience = 10_000

export class ServiceManager {
  /** Milliseconds after which it ends a process that has said nothing; undefined where it does not watch. */
  readonly watchdogMs: number | undefined
  readonly #socket: string
  readonly #log: Logger
  #said: Promise<void> = Promise.resolve()
  #unheard = false

  constructor(socket: string, watchdogMs: number | undefined, log: Logger) {
    this.#socket = socket
    this.watchdogMs = watchdogMs
    this.#log = log
  }

  /** Words in the order of the calls, each call as one message. @returns when they were taken up, or could not be, which is logged once */
  tell(...words: string[]): Promise<void> {
    this.#said = this.#said.then(() => this.#carry(words))
    return this.#said
  }

  async #carry(words: readonly string[]): Promise<void> {
    try {
      await run('systemd-notify', words, { env: { ...process.env, NOTIFY_SOCKET: this.#socket }, timeout: patience })
      this.#unheard = false
    } catch (error) {
      if (!this.#unheard)
        this.#log.warn({ event: 'notify-failed', cause: messageOf(error) }, 'the service manager does not hear this program')
      this.#unheard = true
    }
  }
}

/**
 * Takes the manager's variables out of the environment: children are not this service.
 * @returns undefined where nobody listens
 */
export function takeServiceManager(log: Logger, env: NodeJS.ProcessEnv = process.env): ServiceManager | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = env
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name]
  if (socket === undefined || socket === '') return undefined
  const ms = Number(usec) / 1000
  const watched = ms > 0 && (pid === undefined || pid === String(process.pid))
  return new ServiceManager(socket, watched ? ms : undefined, log)
}
