/** Wiring: what shipping needs, made from the configuration. Whatever is opened here is closed by the stack, in reverse. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { AgentContext } from './commands/context.ts'
import { finishDelivered } from './commands/finish-delivered.ts'
import { makeManners, type Respect } from './commands/make-manners.ts'
import { freshMemory, type Shipping } from './commands/shipping.ts'
import { Teller } from './commands/tell.ts'
import type { AgentConfig } from './config.ts'
import { bodiesAtRate } from './core/token-bucket.ts'
import type { Entry } from './outbox/entry.ts'
import { ReceiptPins } from './receipts/pins.ts'
import { Client } from './ship/client.ts'
import { loadIdentity } from './ship/identity.ts'
import type { Manners } from './ship/manners.ts'
import type { Pace } from './ship/pace.ts'
import { ToldDirectives } from './ship/told.ts'

export interface App extends AsyncDisposable {
  readonly shipping: Shipping
  /** When and how fast to ship and to pack. */
  readonly manners: Manners
  /** Is a recording being written, and how many folders wait for a person? The scan tells. */
  readonly activity: { recording: boolean; stuck: number }
  /** What the receiver asked for in its answer to the last heartbeat. */
  readonly directives: ToldDirectives
  /** Reads certificate, key, token and receipt keys anew. @throws ConfigError, and the old ones stay */
  readonly reload: () => void
}

/** @param stream where remediation lines go: with the log. @param connections defaults to what shipping needs */
export function makeClient(
  config: AgentConfig,
  options: { connections?: number; connectTimeout?: number; idleTimeout?: number; pace?: Pace } = {},
): Client {
  const identity = loadIdentity(config.receiver, config.host.name)
  return new Client({ url: config.receiver.url, identity, connections: config.ship.concurrency + 1, ...options })
}

export function makeApp(
  context: AgentContext,
  stream: NodeJS.WriteStream,
  onProgress: (entry: Entry, bytes: number) => void,
  respect: Respect = 'everything',
): App {
  const { config, outbox, log, now } = context
  const activity = { recording: false, stuck: 0 }
  const directives = new ToldDirectives(config.heartbeat.every, () => performance.now())
  const manners = makeManners(
    context,
    respect,
    () => activity.recording,
    () => directives.now,
  )
  const pace: Pace = manners
  let client = makeClient(config, { pace })
  const shipping: Shipping = {
    outbox,
    log,
    now,
    random: Math.random,
    pins: new ReceiptPins(config.paths.state, config.receiver.receipt_keys_file),
    teller: new Teller(log, stream, now),
    concurrency: bodiesAtRate(config.ship.rate_limit, config.ship.concurrency),
    client: () => client,
    forgetFolder: async (id) => void (await finishDelivered(context, [id])),
    folderExists: (id) =>
      stat(join(config.paths.episodes, id)).then(
        (found) => found.isDirectory(),
        () => false,
      ),
    onProgress,
    pace,
    wanted: () => directives.now.want,
    memory: freshMemory(),
  }
  const reload = () => {
    const old = client
    shipping.pins.reload()
    client = makeClient(config, { pace })
    // Transfers that run keep their connection to the end.
    old
      .retire()
      .catch((error: unknown) => log.warn({ cause: messageOf(error) }, 'could not close the connections of the old certificate'))
  }
  return { shipping, manners, activity, directives, reload, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() }
}
