/**
 * `PUT /v1/host-health/<host>` on the raw Node request: every host sends one every few minutes, thousands at once after a restart.
 * A target of any other spelling is left to the small routes.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '@cis490/shared/node/log.ts'
import type { Refusal } from '@cis490/shared/problems.ts'
import { mediaType } from '@cis490/shared/protocol.ts'
import { BodyCut } from '../http/body.ts'
import type { DrainLimits } from '../http/drain.ts'
import type { Peer } from '../http/peer.ts'
import { answerOf, drainUnread, refuse } from '../http/problem.ts'
import { type RawRoute, rawTarget } from './dispatch.ts'
import { type HostHealthPorts, putHostHealth } from './host-health.ts'

export interface PutReportPorts extends HostHealthPorts {
  readonly log: Logger
  readonly drain: DrainLimits
  /** @param grace take a certificate that expired a short while ago */
  authenticate(request: IncomingMessage, grace: boolean): Peer
  /** Why nobody is served now. */
  unavailable(): Refusal | undefined
}

const prefix = '/v1/host-health/'
const plainTarget = /^\/v1\/host-health\/([A-Za-z0-9.-]+)$/

export function putReportRoute(ports: PutReportPorts): RawRoute {
  return {
    prefix,
    takes: (request, target) => request.method === 'PUT' && plainTarget.test(target),
    serve: (request, response) => serveReport(request, response, ports),
  }
}

/** Never throws. */
async function serveReport(request: IncomingMessage, response: ServerResponse, ports: PutReportPorts): Promise<void> {
  const closed = ports.unavailable()
  if (closed) return void (await refuse(request, response, answerOf(closed, ports.log), ports.drain, { connection: 'close' }))
  drainUnread(request, response, ports.drain)
  try {
    const peer = ports.authenticate(request, true)
    const name = plainTarget.exec(rawTarget(request))?.[1] ?? ''
    const ignored = await putHostHealth(request, name, peer, ports, () => {
      if (request.headers.expect !== undefined) response.writeContinue()
    })
    answerReport(response, ignored)
  } catch (error) {
    answerError(response, error, ports.log)
  }
}

/** @param ignored the stored sequence, where the report was an older one */
function answerReport(response: ServerResponse, ignored: number | undefined): void {
  if (ignored === undefined) return void response.writeHead(204).end()
  const body = JSON.stringify({ ignored: true, stored_sequence: ignored })
  response.writeHead(200, { 'content-type': mediaType.json, 'content-length': body.length }).end(body)
}

function answerError(response: ServerResponse, error: unknown, log: Logger): void {
  // Nobody is there to read it.
  if (error instanceof BodyCut) return void response.writeHead(400).end()
  const { status, headers, body } = answerOf(error, log)
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
}
