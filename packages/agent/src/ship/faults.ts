/** Network errors in words: what failed and what to do. */

import { messageOf } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Fault, FaultCode } from '../core/answer.ts'

export interface Circumstances {
  /** Host and port, as in receiver.url. */
  readonly where: string
  readonly tls: boolean
  /** An answer has come through with this certificate before. */
  readonly answeredBefore: boolean
  readonly certificate: boolean
}

const serverCertificate: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it on the receiver, and check the clock here',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: check the clock here and there',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name: use that name in receiver.url, or issue one for this name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed: name its CA in receiver.ca_file',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is from a CA that is not in receiver.ca_file: fetch the CA certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is from a CA that is not in receiver.ca_file: fetch the CA certificate',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is from a CA that is not in receiver.ca_file: fetch the CA certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is from a CA that is not in receiver.ca_file: fetch the CA certificate',
  INVALID_PURPOSE: 'its certificate is not one for a server: issue one with the server usage',
  CERT_SIGNATURE_FAILURE: 'its certificate is not signed by the CA in receiver.ca_file: fetch the CA certificate',
}

const byCode: Readonly<Record<string, readonly [FaultCode, string]>> = {
  ENOTFOUND: ['name-not-found', 'the name does not resolve: check receiver.url and the DNS of this host'],
  EAI_AGAIN: ['name-not-found', 'the name server does not answer: check the network of this host'],
  ECONNREFUSED: ['connection-refused', 'nothing listens there: is cis490-receiver running, and is the port right?'],
  EHOSTUNREACH: ['unreachable', 'no route to it: check the network and the firewall'],
  ENETUNREACH: ['unreachable', 'no route to it: check the network of this host'],
  ETIMEDOUT: ['connect-timeout', 'it does not answer: check the network and the firewall'],
  UND_ERR_CONNECT_TIMEOUT: ['connect-timeout', 'it does not answer: check the network and the firewall'],
  UND_ERR_HEADERS_TIMEOUT: ['answer-timeout', 'it took the request and did not answer in time'],
  UND_ERR_BODY_TIMEOUT: ['answer-timeout', 'its answer stopped half way'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['not-tls', 'it does not speak TLS on this port: use http:// or the right port in receiver.url'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: [
    'not-tls',
    'it does not speak TLS on this port: use http:// or the right port in receiver.url',
  ],
}

export function faultOf(error: unknown, at: Circumstances): Fault {
  const codes = codesOf(error)
  const fault = (code: FaultCode, words: string): Fault => ({ kind: 'fault', code, message: `${at.where}: ${words}` })
  for (const code of codes) {
    const server = serverCertificate[code]
    if (server) return fault('server-certificate', server)
    const known = byCode[code]
    if (known) return fault(...known)
    if (/^ERR_SSL_.*ALERT/.test(code)) return fault('certificate-refused', refused(at))
  }
  if (
    codes.some((code) => ['UND_ERR_ABORTED', 'ABORT_ERR'].includes(code)) ||
    (error instanceof Error && error.name === 'AbortError')
  )
    return fault('aborted', 'the request was ended from here')
  // TLS 1.3 refuses a client certificate after the handshake, and all that is seen of it is a closed connection.
  if (codes.includes('UND_ERR_SOCKET') && at.tls && !at.answeredBefore && bytesRead(error) === 0)
    return fault('certificate-refused', refused(at))
  return fault('connection-cut', `the connection was cut (${printable(messageOf(error))})`)
}

function refused(at: Circumstances): string {
  return at.certificate
    ? 'it closed the connection right after TLS began: it does not accept our certificate (receiver.cert_file); renew it, and check that the receiver knows its CA'
    : 'it closed the connection right after TLS began: it wants a client certificate; set receiver.cert_file and key_file'
}

function codesOf(error: unknown, depth = 0): string[] {
  if (!(error instanceof Error) || depth > 4) return []
  const own = 'code' in error ? [String(error.code)] : []
  const many = error instanceof AggregateError ? error.errors.flatMap((one) => codesOf(one, depth + 1)) : []
  return [...own, ...many, ...codesOf(error.cause, depth + 1)]
}

function bytesRead(error: unknown): number {
  const socket = error instanceof Error && 'socket' in error ? (error.socket as { bytesRead?: number } | null) : null
  return socket?.bytesRead ?? 0
}
