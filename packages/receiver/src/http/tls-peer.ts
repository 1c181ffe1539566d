/** The client certificate of a TLS connection, with the intermediates that came along. */
import type { TLSSocket } from 'node:tls'
import { type Certificate, parseCertificate } from './certificate.ts'
import { maxIntermediates } from './chain.ts'
import type { Presented } from './proxy-certificate.ts'

/**
 * For https.createServer: every handshake completes, and the program judges.
 * `ca` stays empty on purpose: Node drops the peer's intermediates once OpenSSL itself has verified the chain.
 */
export const clientCertificateOptions = { requestCert: true, rejectUnauthorized: false, ca: [] as string[] } as const

/** Parsed once a connection. */
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
  const leaf = parseCertificate(peer.raw)
  if (leaf === undefined) return 'unreadable'
  const sent: Certificate[] = []
  for (
    let above = peer.issuerCertificate;
    above !== undefined && sent.length < maxIntermediates;
    above = above.issuerCertificate
  ) {
    const certificate = parseCertificate(above.raw)
    if (certificate !== undefined) sent.push(certificate)
  }
  return { leaf, sent }
}
