/** A real outbox with what ships it, in this process: against a receiver that answers what the test says, or a real one. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { problem } from '@cis490/shared/problems.ts'
import { onTestFinished } from 'vitest'
import { makeApp } from '../../packages/agent/src/app.ts'
import type { AgentContext } from '../../packages/agent/src/commands/context.ts'
import type { Shipping } from '../../packages/agent/src/commands/shipping.ts'
import { AgentConfig } from '../../packages/agent/src/config.ts'
import { Outbox } from '../../packages/agent/src/outbox/outbox.ts'
import { Client } from '../../packages/agent/src/ship/client.ts'
import { loadIdentity } from '../../packages/agent/src/ship/identity.ts'
import { type AgentHome, makeAgentHome } from './agent-home.ts'
import { type CapturedLog, capturedLog } from './captured-log.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

export interface Answering {
  readonly url: string
  /** Method and path of every request, in order. */
  readonly requests: string[]
}

/** A plain HTTP server that hears the whole body before it answers. */
export async function answering(handle: Handler): Promise<Answering> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    const chunks: Buffer[] = []
    request
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => handle(request, response, Buffer.concat(chunks)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

export interface BenchOptions {
  readonly url: string
  readonly concurrency?: number
  /** Milliseconds for an answer, in place of minutes. */
  readonly idleTimeout?: number
  /** Further keys of the configuration's `receiver` table. */
  readonly identity?: object
  /** An outbox that is there already. */
  readonly home?: AgentHome
  /** In place of `Math.random`. */
  readonly random?: () => number
}

export interface ShipBench {
  readonly home: AgentHome
  readonly context: AgentContext
  readonly shipping: Shipping
  readonly log: CapturedLog
  /** What was written beside the log, for pasting. */
  readonly raw: string[]
  readonly signal: AbortSignal
  /** Epoch milliseconds; the test moves it. */
  clock: number
}

export async function shipBench(options: BenchOptions): Promise<ShipBench> {
  const { url, concurrency = 1, idleTimeout, identity = {} } = options
  const home = options.home ?? makeAgentHome()
  const { episodes, outbox: outboxDir, state } = home
  const config = AgentConfig.parse({
    host: 'cert_file' in identity ? {} : { name: 'lab-07' },
    receiver: { url, ...identity },
    paths: { episodes, outbox: outboxDir, state },
    ship: { concurrency },
    quota: { reserve: 0 },
  })
  const made: { clock: number } = { clock: Date.now() }
  const now = () => made.clock
  const log = capturedLog()
  const outbox = await Outbox.open({ outboxDir, stateDir: state, log: log.log, now })
  const raw: string[] = []
  const stream = { write: (text: string) => raw.push(text) > 0 } as unknown as NodeJS.WriteStream
  const context = { config, outbox, log: log.log, now }
  const app = makeApp(context, stream, () => undefined)
  const client =
    idleTimeout === undefined
      ? undefined
      : new Client({ url, identity: loadIdentity(config.receiver, config.host.name), connections: concurrency + 1, idleTimeout })
  const shipping: Shipping = {
    ...app.shipping,
    ...(client && { client: () => client }),
    ...(options.random && { random: options.random }),
  }
  onTestFinished(async () => {
    await client?.[Symbol.asyncDispose]()
    await app[Symbol.asyncDispose]()
    await outbox[Symbol.asyncDispose]()
  })
  return Object.assign(made, { home, context, shipping, log, raw, signal: new AbortController().signal })
}

/** 201 with a receipt for the very bytes that came. */
export const accept: Handler = (request, response, body) => {
  const id = /episodes\/(.+)\.tar\.zst/.exec(request.url ?? '')?.[1]
  const sha256 = createHash('sha256').update(body).digest('hex')
  response
    .writeHead(201)
    .end(JSON.stringify({ id, host: 'lab-07', sha256, bytes: body.length, received_at: '2026-11-21T12:00:00.000Z' }))
}

export function refuse(response: ServerResponse, ...what: Parameters<typeof problem>): void {
  const body = problem(...what)
  response.writeHead(body.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body))
}
