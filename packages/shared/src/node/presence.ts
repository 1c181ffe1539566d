/** A daemon's word to its service manager: ready, well or not, stopping. Without a manager it costs nothing. */
import { type SelfLook, type Stage, wordsOf } from '../self-look.ts'
import { messageOf } from './errno.ts'
import type { Logger } from './log.ts'
import type { ServiceManager } from './service-manager.ts'

/** Milliseconds between two status lines where no watchdog waits. */
const leisurely = 60_000

/** A look and the pause after it take at most two of these: a slow answer alone starves no watchdog. */
const wordsPerWatchdog = 3

export class Presence implements AsyncDisposable {
  readonly #manager: ServiceManager | undefined
  readonly #look: () => Promise<SelfLook>
  readonly #log: Logger
  readonly #every: number
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<SelfLook> | undefined
  #well = true
  #stopping: Promise<void> | undefined

  /** @param look rejects or never ends where the daemon is not well */
  constructor(manager: ServiceManager | undefined, look: () => Promise<SelfLook>, log: Logger) {
    this.#manager = manager
    this.#look = look
    this.#log = log
    this.#every = (manager?.watchdogMs ?? leisurely * wordsPerWatchdog) / wordsPerWatchdog
  }

  /** Says that the daemon is ready, after one look, and goes on telling until it stops. Never rejects. */
  async begin(): Promise<void> {
    await this.#turn('ready')
  }

  /** No further word to the watchdog: the manager knows that the end is near. */
  stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#stopping ??= this.#manager?.tell('STOPPING=1', 'STATUS=stopping') ?? Promise.resolve()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #turn(stage: Stage): Promise<void> {
    if (!this.#manager) return
    const seen = await this.#see()
    if (this.#stopping) return
    this.#note(seen)
    await this.#manager.tell(...wordsOf(seen, stage))
    if (!this.#stopping) this.#timer = setTimeout(() => void this.#turn('running'), this.#every)
  }

  /** One look at a time: what hangs is not asked again. */
  async #see(): Promise<SelfLook> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => ({ well: false, status: messageOf(error) }))
      .finally(() => {
        this.#looking = undefined
      })
    const { promise, resolve } = Promise.withResolvers<SelfLook>()
    const timer = setTimeout(() => resolve({ well: false, status: 'no answer from the disk' }), this.#every)
    return await Promise.race([this.#looking, promise]).finally(() => clearTimeout(timer))
  }

  #note({ well, status }: SelfLook): void {
    if (well === this.#well) return
    this.#well = well
    if (well) this.#log.info({ event: 'well' }, 'well again')
    else this.#log.warn({ event: 'unwell', reason: status }, 'not well: the watchdog hears nothing until this is over')
  }
}
