/** EST (RFC 7030): a host without a certificate joins by a token, one with a certificate renews it. On the raw request, for no client certificate is asked for. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { HostName } from '@cis490/shared/ids.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { printable } from '@cis490/shared/printable.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { estPath, estPrefix, mediaType } from '@cis490/shared/protocol.ts'
import type { Ca } from '../ca/ca.ts'
import { badRequest, EstRefusal, joinRefused, refusalReason } from '../core/est-refusal.ts'
import { readToken } from '../core/join-token.ts'
import { networkOf, remoteOf } from '../http/address.ts'
import { BodyCut, readBody } from '../http/body.ts'
import type { DrainLimits } from '../http/drain.ts'
import type { Metrics } from '../http/metrics.ts'
import type { Peer } from '../http/peer.ts'
import { answerOf, drainUnread } from '../http/problem.ts'
import { type RawRoute, rawTarget } from './dispatch.ts'

export interface EstPorts {
  /** undefined: the fleet has a CA of its own. */
  ca(): Ca | undefined
  readonly log: Logger
  readonly drain: DrainLimits
  readonly metrics: Pick<Metrics, 'certificatesIssued' | 'certificatesRefused'>
  readonly limits: { readonly idle_timeout: number; readonly min_rate: number }
  /** By certificate, one that expired a short while ago too; never by bearer token. @throws Refusal */
  certified(request: IncomingMessage): Peer
  /** Why nobody is served now. */
  unavailable(): Refusal | undefined
}

const maxRequestBytes = 16 << 10

export function estRoute(ports: EstPorts): RawRoute {
  return { prefix: estPrefix, serve: (request, response) => serveEst(request, response, ports) }
}

/** Never throws. */
async function serveEst(request: IncomingMessage, response: ServerResponse, ports: EstPorts): Promise<void> {
  drainUnread(request, response, ports.drain)
  const closed = ports.unavailable()
  try {
    if (closed) throw closed
    const answer = await answerTo(request, response, ports)
    // RFC 8951 has bare base64; older clients want the header, and `openssl base64 -d` wants lines.
    const body = answer.bytes.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')
    const head = { 'content-type': answer.type, 'content-transfer-encoding': 'base64', 'cache-control': 'no-store' }
    response.writeHead(200, { ...head, 'content-length': body.length + 1 }).end(`${body}\n`)
  } catch (error) {
    if (error instanceof BodyCut) return void response.destroy()
    const { status, headers, body, problem } = answerOf(error, ports.log)
    const basic = status === 401 ? { 'www-authenticate': 'Basic realm="cis490"' } : {}
    const allow = problem.code === 'method-not-allowed' ? { allow: allowed(rawTarget(request)) } : {}
    response.writeHead(status, { ...headers, ...basic, ...allow, 'content-length': Buffer.byteLength(body) }).end(body)
  }
}

interface Answer {
  readonly bytes: Buffer
  readonly type: string
}

async function answerTo(request: IncomingMessage, response: ServerResponse, ports: EstPorts): Promise<Answer> {
  const ca = ports.ca()
  if (!ca) throw new Refusal('not-found', 'this receiver has no CA of its own: [ca] is not in its receiver.toml')
  const target = rawTarget(request)
  if (!Object.values<string>(estPath).includes(target)) throw new Refusal('not-found', 'there is nothing at this path')
  if (
    !allowed(target)
      .split(', ')
      .includes(request.method ?? '')
  )
    throw new Refusal('method-not-allowed', `this path takes ${allowed(target)}`)
  if (target === estPath.cacerts) return { bytes: ca.certificates(), type: mediaType.pkcs7 }
  const bytes = await certificateFor(target === estPath.enroll ? enroll : renew, { request, response, ca, ports })
  return { bytes, type: `${mediaType.pkcs7}; smime-type=certs-only` }
}

interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly ca: Ca
  readonly ports: EstPorts
}

async function certificateFor(give: (asked: Asked) => Promise<Granted>, asked: Asked): Promise<Buffer> {
  const { certificatesIssued, certificatesRefused } = asked.ports.metrics
  try {
    const { pkcs7, row } = await give(asked)
    certificatesIssued.inc({ by: row.by })
    return pkcs7
  } catch (error) {
    if (!(error instanceof BodyCut)) certificatesRefused.inc({ reason: refusalReason(error) })
    throw error
  }
}

function allowed(target: string): string {
  return target === estPath.cacerts ? 'GET, HEAD' : 'POST'
}

type Granted = Awaited<ReturnType<Ca['renew']>>

/** Cheap things first, and nothing with keys for whom no token stands: the limit, the token, then the request. */
async function enroll({ request, response, ca, ports }: Asked): Promise<Granted> {
  const from = remoteOf(request)
  const who = `address ${networkOf(from)}`
  ca.heard(who, Date.now())
  const { user, password } = basicOf(request)
  const token = readToken(password)
  const host = HostName.safeParse(user).data
  try {
    if (!token || !host) throw joinRefused('missing')
    await ca.mayJoin(token, host, Date.now())
    const der = await readDer(request, response, ports)
    // Asked again: others from there may have failed while the body came.
    ca.heard(who, Date.now())
    const granted = await ca.join(token, host, der, Date.now())
    const { fingerprint, not_after } = granted.row
    ports.log.info({ event: 'host-joined', host, token: token.id, fingerprint, not_after }, 'host joined')
    return granted
  } catch (error) {
    if (error instanceof EstRefusal) ca.failed(who, Date.now())
    if (error instanceof Refusal && error.problem.code !== 'rate')
      ports.log.warn(
        {
          event: 'join-refused',
          remote: from,
          host: printable(user).slice(0, 253),
          token: token?.id,
          reason: error.problem.detail,
        },
        'a host could not join',
      )
    throw error
  }
}

async function renew({ request, response, ca, ports }: Asked): Promise<Granted> {
  const { host, fingerprint, joinedAt } = ports.certified(request)
  if (fingerprint === undefined) throw new Refusal('certificate-missing', 'renewal is by the present certificate')
  if (host === undefined) throw new Refusal('host-missing', 'the certificate names no host')
  const who = `host ${host}`
  ca.heard(who, Date.now())
  ca.admit('renewal', host, Date.now())
  try {
    const der = await readDer(request, response, ports)
    // Judged again: a revocation that came while the body did counts.
    ports.certified(request)
    ca.heard(who, Date.now())
    const granted = await ca.renew({ host, replaces: fingerprint, joinedAt }, der, Date.now())
    const { not_after } = granted.row
    ports.log.info({ event: 'certificate-renewed', host, fingerprint: granted.row.fingerprint, not_after }, 'certificate renewed')
    return granted
  } catch (error) {
    if (error instanceof EstRefusal) ca.failed(who, Date.now())
    throw error
  }
}

/** RFC 7617. Nothing of it is ever logged but the name. */
function basicOf(request: IncomingMessage): { user: string; password: string } {
  const values = request.headersDistinct['authorization'] ?? []
  const encoded = values.length === 1 ? /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(values[0] ?? '')?.[1] : undefined
  const text = Buffer.from(encoded ?? '', 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return { user: text.slice(0, Math.max(0, colon)), password: text.slice(colon + 1) }
}

async function readDer(request: IncomingMessage, response: ServerResponse, { limits }: EstPorts): Promise<Buffer> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase()
  if (type !== mediaType.pkcs10)
    throw new Refusal('unsupported-media-type', `send the request as ${mediaType.pkcs10}: PKCS #10 in base64`)
  if (request.headers.expect !== undefined) response.writeContinue()
  const chunks: Buffer[] = []
  await readBody(request, limits, maxRequestBytes, (chunk) => {
    chunks.push(chunk)
    return undefined
  })
  // With the lines of PEM around it too: that is what `openssl req` prints.
  const text = Buffer.concat(chunks)
    .toString('latin1')
    .replace(/-----[A-Z ]+-----/g, '')
    .replace(/\s/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw badRequest('unreadable')
  return Buffer.from(text, 'base64')
}
