/** Every route but the episodes, as a hono application for one listener. */
import type { IncomingMessage } from 'node:http'
import type { Logger } from '@cis490/shared/node/log.ts'
import { problem, Refusal } from '@cis490/shared/problems.ts'
import { episodeListPath, explainPath, receiptKeysPath } from '@cis490/shared/protocol.ts'
import { rolloutPath } from '@cis490/shared/rollout.ts'
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { BodyCut } from '../http/body.ts'
import type { Metrics } from '../http/metrics.ts'
import type { Peer } from '../http/peer.ts'
import { answerOf } from '../http/problem.ts'
import { type ExplainPorts, getExplanation } from './explain.ts'
import { type GatePorts, getGate } from './gate.ts'
import { type HeartbeatPorts, postHeartbeat } from './heartbeat.ts'
import { forgejoHook, type HookPorts } from './hook.ts'
import { getAllReports, getHostReport, type HostHealthPorts, putHostHealth } from './host-health.ts'
import { getEpisodeList, type ListPorts } from './list-episodes.ts'
import { getReceiptKeys, type ReceiptKeysPorts } from './receipt-keys.ts'
import { getRollout, getUpdate, type RolloutPorts } from './rollout.ts'

export interface SmallPorts extends HostHealthPorts, ReceiptKeysPorts, RolloutPorts {
  readonly heartbeats: Omit<HeartbeatPorts, 'limits'>
  readonly gate: GatePorts
  readonly stored: Pick<ListPorts, 'layout' | 'known'> & Pick<ExplainPorts, 'explain'>
  readonly log: Logger
  /** @param grace take a certificate that expired a short while ago */
  authenticate(request: IncomingMessage, grace: boolean): Peer
}

export interface OpsPorts {
  readonly metrics: Metrics
  readonly hook: HookPorts
  /** Why no upload is taken now; empty when ready. */
  notReady(): string[]
}

type App = Hono<{ Bindings: HttpBindings }>

const heartbeats = '/v1/hosts/:host/heartbeat'
const update = '/v1/hosts/:host/update'
const hook = '/v1/hooks/forgejo'

/** What the receiver listener serves. */
export function receiverRoutes(ports: SmallPorts): App {
  const app = newApp(ports.log)
  readRoutes(app, ports)
  // Whose name is percent-encoded, or followed by a query; put-report.ts takes the others.
  app.put('/v1/host-health/:host', async (c) => {
    const peer = ports.authenticate(c.env.incoming, true)
    const ignored = await putHostHealth(c.env.incoming, c.req.param('host'), peer, ports, () => proceed(c.env))
    return ignored === undefined ? c.body(null, 204) : c.json({ ignored: true, stored_sequence: ignored })
  })
  app.post(heartbeats, (c) => {
    const peer = ports.authenticate(c.env.incoming, true)
    const beat = { ...ports.heartbeats, limits: ports.limits }
    return postHeartbeat(c.env.incoming, c.req.param('host'), peer, beat, () => proceed(c.env))
  })
  return closed(app, ports, {
    [episodeListPath]: 'GET, HEAD',
    [explainPath]: 'GET, HEAD',
    '/v1/gate': 'GET, HEAD',
    [receiptKeysPath]: 'GET, HEAD',
    '/v1/host-health': 'GET, HEAD',
    '/v1/host-health/:host': 'GET, HEAD, PUT',
    [heartbeats]: 'POST',
    [update]: 'GET, HEAD',
    [rolloutPath]: 'GET, HEAD',
  })
}

/** For a client that waits to be asked for its body. */
function proceed({ incoming, outgoing }: HttpBindings): void {
  if (incoming.headers.expect !== undefined && 'writeContinue' in outgoing) outgoing.writeContinue()
}

/** What the ops listener serves: the read routes, and the operator's own. */
export function opsRoutes(ports: SmallPorts, ops: OpsPorts): App {
  const app = newApp(ports.log)
  readRoutes(app, ports)
  app.get('/healthz', (c) => c.text('ok\n'))
  app.get('/readyz', (c) => {
    const reasons = ops.notReady()
    return c.json({ ready: reasons.length === 0, reasons }, reasons.length === 0 ? 200 : 503)
  })
  app.get('/metrics', async (c) =>
    c.text(await ops.metrics.registry.metrics(), 200, { 'content-type': ops.metrics.registry.contentType }),
  )
  app.post(hook, (c) => forgejoHook(c.env.incoming, ops.hook))
  const get = 'GET, HEAD'
  return closed(app, ports, {
    [episodeListPath]: get,
    [explainPath]: get,
    '/v1/gate': get,
    [receiptKeysPath]: get,
    '/v1/host-health': get,
    '/v1/host-health/:host': get,
    [update]: get,
    [rolloutPath]: get,
    '/healthz': get,
    '/readyz': get,
    '/metrics': get,
    [hook]: 'POST',
  })
}

function readRoutes(app: App, ports: SmallPorts): void {
  const peer = (c: Context<{ Bindings: HttpBindings }>) => ports.authenticate(c.env.incoming, false)
  const { stored, log, readsAll } = ports
  app.get(episodeListPath, (c) => getEpisodeList(c.req.url, peer(c), { ...stored, log, readsAll }))
  app.get(explainPath, (c) => getExplanation(c.req.url, peer(c), { ...stored, readsAll }))
  app.get('/v1/gate', (c) => getGate(c.req.query('commit'), peer(c).host, ports.gate))
  app.get(receiptKeysPath, (c) => {
    peer(c)
    return getReceiptKeys(ports)
  })
  app.get('/v1/host-health', (c) => getAllReports(peer(c), ports))
  app.get('/v1/host-health/:host', (c) => getHostReport(c.req.param('host'), peer(c), ports))
  app.get(update, (c) => getUpdate(c.req.url, c.req.param('host'), peer(c), ports))
  app.get(rolloutPath, (c) => getRollout(peer(c), ports))
}

function newApp(log: Logger): App {
  const app: App = new Hono()
  app.onError((error) => {
    // Nobody is there to read it.
    if (error instanceof BodyCut) return new Response(null, { status: 400 })
    const { status, headers, body } = answerOf(error, log)
    return new Response(body, { status, headers })
  })
  return app
}

/** Known paths answer 405 with Allow to other methods, everything else is 404; both only to who may be here. */
function closed(app: App, ports: SmallPorts, allowed: Record<string, string>): App {
  for (const [path, allow] of Object.entries(allowed)) {
    app.all(path, (c) => {
      if (path !== hook) ports.authenticate(c.env.incoming, false)
      const told = problem('method-not-allowed', `this path takes ${allow}`)
      return new Response(JSON.stringify(told), { status: 405, headers: { allow, 'content-type': 'application/problem+json' } })
    })
  }
  app.notFound((c) => {
    ports.authenticate(c.env.incoming, false)
    throw new Refusal('not-found', 'there is nothing at this path')
  })
  return app
}
