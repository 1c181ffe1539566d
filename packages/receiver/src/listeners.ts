/** The receiver's three listeners, each with the connections that it may have. */

import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import type { ReceiverConfig } from './config.ts'
import { Connections } from './http/connections.ts'
import { connectionsFor, fileLimit } from './http/file-limit.ts'
import { createListener, type RequestHandler, type TlsMaterial } from './http/listener.ts'
import type { Metrics } from './http/metrics.ts'
import { answerOf, refuse } from './http/problem.ts'

const forOperators = 64

/** Of a client that is told to come later; what does not end so soon is cut. */
const briefly = { drain_bytes: 1 << 20, drain_time: 2000 }

/** How many connections of hosts there may be. */
export function connectionsOfHosts({ limits }: ReceiverConfig, log: Logger, files = fileLimit()): Connections {
  const most = connectionsFor({ wanted: limits.connections, bodies: limits.bodies, files })
  if (most < limits.connections) {
    const remedy = 'raise LimitNOFILE of the unit, or lower limits.connections'
    log.warn({ event: 'connections-lowered', connections: most, files, remedy }, 'too few files for so many connections')
  }
  return new Connections(most)
}

export interface Handlers {
  readonly hosts: RequestHandler
  readonly ops: RequestHandler
  readonly admin: RequestHandler
}

export interface ListenerPorts {
  readonly connections: Connections
  readonly metrics: Metrics
  readonly tls: TlsMaterial | undefined
  readonly log: Logger
}

export function makeListeners(config: ReceiverConfig, handlers: Handlers, { connections, metrics, tls, log }: ListenerPorts) {
  const told = (request: Parameters<RequestHandler>[0], response: Parameters<RequestHandler>[1]) => {
    const busy = new Refusal('overloaded', `the receiver has ${connections.most} connections open`, { retry_after_s: 20 })
    void refuse(request, response, answerOf(busy, log), briefly, { connection: 'close' })
  }
  const turnAway: RequestHandler = (request, response) => {
    metrics.connectionsRefused.inc({ how: 'told' })
    told(request, response)
  }
  const server = createListener(
    {
      headerTimeout: config.limits.header_timeout,
      connections,
      turnAway,
      onDrop: () => metrics.connectionsRefused.inc({ how: 'unheard' }),
      ...(tls && { tls }),
      onHandshake: (resumed) => metrics.handshakes.inc({ resumed: String(resumed) }),
    },
    handlers.hosts,
  )
  const local = () => ({
    headerTimeout: config.limits.header_timeout,
    connections: new Connections(forOperators),
    turnAway: told,
  })
  return { server, ops: createListener(local(), handlers.ops), admin: createListener(local(), handlers.admin) }
}
