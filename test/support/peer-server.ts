/** A real HTTPS (or plain) server whose only route says who the caller is, and the calls to it. */
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Refusal } from '@cis490/shared/problems.ts'
import type { Issued } from '../../packages/receiver/src/ca/authority.ts'
import type { Peer } from '../../packages/receiver/src/http/peer.ts'
import { clientCertificateOptions } from '../../packages/receiver/src/http/tls-peer.ts'
import type { Pki } from './pki.ts'

export type Answer = Partial<Peer> & { code?: string; detail?: string; remediation?: string; resumed: boolean }

export interface PeerServer extends AsyncDisposable {
  readonly port: number
  readonly secure: boolean
}

export async function peerServer(
  pki: Pki | 'plain',
  identify: (req: IncomingMessage) => Peer,
  address = '127.0.0.1',
): Promise<PeerServer> {
  const answer = (req: IncomingMessage, res: http.ServerResponse) => {
    const resumed = 'isSessionReused' in req.socket && (req.socket as import('node:tls').TLSSocket).isSessionReused()
    try {
      res.end(JSON.stringify({ ...identify(req), resumed }))
    } catch (error) {
      res.end(
        JSON.stringify(error instanceof Refusal ? { ...error.problem, resumed } : { code: `fault: ${String(error)}`, resumed }),
      )
    }
  }
  const server =
    pki === 'plain'
      ? http.createServer(answer)
      : https.createServer(
          { cert: pki.server.certPem, key: pki.server.keyPem, minVersion: 'TLSv1.3', ...clientCertificateOptions },
          answer,
        )
  server.listen(0, address)
  await once(server, 'listening')
  const close = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { port: (server.address() as AddressInfo).port, secure: pki !== 'plain', [Symbol.asyncDispose]: close }
}

export interface Call {
  readonly identity?: Issued | undefined
  /** PEM that is sent after the leaf. */
  readonly intermediates?: string
  readonly headers?: http.OutgoingHttpHeaders
  readonly agent?: https.Agent
  readonly address?: string
}

/** One request on a connection of its own, or on the agent's. */
export async function ask(server: PeerServer, pki: Pki, call: Call = {}): Promise<Answer> {
  const { identity, intermediates = '', headers = {}, agent, address = '127.0.0.1' } = call
  const common = { host: address, port: server.port, headers }
  const req = server.secure
    ? https.request({
        ...common,
        agent: agent ?? false,
        ca: pki.authority.certPem,
        servername: 'localhost',
        ...(identity && { cert: identity.certPem + intermediates, key: identity.keyPem }),
      })
    : http.request({ ...common, agent: false })
  req.end()
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  return JSON.parse(await text(res)) as Answer
}
