/** The client certificate of a TLS connection, with the intermediates that came along. */
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { type Certificate, parseCertificate } from './certificate.ts'
import { maxIntermediates } from './chain.ts'
import type { Presented } from './proxy-certificate.ts'

/**
 * For https.createServer: every handshake completes, and the program judges.
 * `ca` stays empty on purpose: Node drops the peer's intermediates once OpenSSL itself has verified the chain.
 */
export const clientCertificateOptions = { requestCert: true, rejectUnauthorized: false, ca: [] as string[] } as const

/**
 * By fingerprint. Reading one costs as much as a full handshake, and hosts come back; the oldest go, so that strangers fill no memory.
 * What a certificate may do is judged for each request all the same.
 */
const known = new Map<string, Certificate>()
const mostKnown = 10_240

function readOnce(presented: X509Certificate): Certificate | undefined {
  const hit = known.get(presented.fingerprint256)
  if (hit) return hit
  const made = parseCertificate(presented.raw)
  if (made) known.set(presented.fingerprint256, made)
  const oldest = known.keys().next().value
  if (known.size > mostKnown && oldest !== undefined) known.delete(oldest)
  return made
}

/** Looked up once a connection. */
const parsed = new WeakMap<TLSSocket, Presented | 'missing' | 'unreadable'>()

export function presentedBy(socket: TLSSocket): Presented | 'missing' | 'unreadable' {
  const known = parsed.get(socket)
  if (known !== undefined) return known
  const presented = read(socket)
  // A connection that is gone answers like one without a certificate; that must not stick.
  if (!socket.destroyed) parsed.set(socket, presented)
  return presented
}

function read(socket: TLSSocket): Presented | 'missing' | 'unreadable' {
  const peer = socket.getPeerX509Certificate()
  if (peer === undefined) return 'missing'
  const leaf = readOnce(peer)
  if (leaf === undefined) return 'unreadable'
  const sent: Certificate[] = []
  for (
    let above = peer.issuerCertificate;
    above !== undefined && sent.length < maxIntermediates;
    above = above.issuerCertificate
  ) {
    const certificate = readOnce(above)
    if (certificate !== undefined) sent.push(certificate)
  }
  return { leaf, sent }
}
