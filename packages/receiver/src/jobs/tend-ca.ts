/** Looks after the CA: successor, server certificate, tokens that have ended. */
import type { Logger } from '@cis490/shared/node/log.ts'
import type { Ca } from '../ca/ca.ts'
import type { CaEvent } from '../ca/tend.ts'

const mostMs = 60_000

export interface TendOptions {
  /** ms; of the certificates */
  readonly lifetime: number
  readonly log: Logger
  /** Something is new: the listener and the check of peers take it up. */
  taken(): void
}

/** Looks 60 times in a lifetime, at least every minute. Ends a look that runs when it is disposed of. */
export function tendRegularly(ca: Pick<Ca, 'tend' | 'clean'>, { lifetime, log, taken }: TendOptions): AsyncDisposable {
  let looking: Promise<void> | undefined
  // A look that failed may have made something, or have failed in taking it up: the next one takes up all there is.
  let untaken = false
  const tend = async () => {
    const missed = untaken
    untaken = true
    const { events, changed } = await ca.tend(Date.now())
    logCaEvents(events, log)
    if (changed || missed) taken()
    untaken = false
    await ca.clean(Date.now())
  }
  const look = () => {
    looking ??= tend()
      .catch((error: unknown) =>
        log.error(
          { err: error, remedy: 'cis490-receiver ca init' },
          'the CA or the server certificate cannot be renewed; tried again',
        ),
      )
      .finally(() => {
        looking = undefined
      })
  }
  const timer = setInterval(look, Math.max(100, Math.min(mostMs, lifetime / 60))).unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await looking
    },
  }
}

const words = {
  'ca-made': 'made the CA; back up its key',
  'successor-made': 'made the successor of the CA; back up its key',
  'ca-ended': 'took out a CA that has ended',
  'server-certificate': 'made a new server certificate',
} as const

export function logCaEvents(events: readonly CaEvent[], log: Logger): void {
  for (const event of events) log.info({ event }, words[event])
}
