/** The client certificate as a TLS proxy passes it on. Only ask this about requests of a trusted proxy. */
import type { IncomingMessage } from 'node:http'
import { type Certificate, parseCertificate, parsePem } from './certificate.ts'

export type ProxyFormat = 'rfc9440' | 'escaped-pem'

/** A certificate with the intermediates that came along. */
export interface Presented {
  readonly leaf: Certificate
  readonly sent: readonly Certificate[]
}

export type Proxied = Presented | 'missing' | 'unreadable' | 'repeated-header'

const names = { rfc9440: 'client-cert', 'escaped-pem': 'x-ssl-client-cert' } as const

/** Reads the one header of the configured format; that of the other format is a client's own and means nothing. */
export function proxiedCertificate(req: IncomingMessage, format: ProxyFormat): Proxied {
  const values = req.headersDistinct[names[format]] ?? []
  if (values.length > 1) return 'repeated-header'
  const value = values[0]?.trim() ?? ''
  // nginx sends its variable empty, or not at all, where the client had no certificate.
  if (value === '') return 'missing'
  return format === 'rfc9440' ? structured(value, req.headersDistinct['client-cert-chain'] ?? []) : escaped(value)
}

/** RFC 9440: a byte sequence, and a list of them for the chain, nearest authority first. */
function structured(value: string, chain: readonly string[]): Proxied {
  const leaf = byteSequence(value)
  const sent = chain.flatMap((line) => line.split(',')).map(byteSequence)
  const readable = sent.filter((certificate) => certificate !== undefined)
  return leaf === undefined || readable.length < sent.length ? 'unreadable' : { leaf, sent: readable }
}

function byteSequence(item: string): Certificate | undefined {
  const base64 = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(item.trim())?.[1]
  return base64 === undefined ? undefined : parseCertificate(Buffer.from(base64, 'base64'))
}

/** nginx `$ssl_client_escaped_cert`: one PEM block, percent-encoded. */
function escaped(value: string): Proxied {
  let certificates: Certificate[] | undefined
  try {
    certificates = parsePem(decodeURIComponent(value))
  } catch {
    return 'unreadable' // a broken percent sequence
  }
  const [leaf, ...more] = certificates ?? []
  if (leaf === undefined) return 'unreadable'
  return more.length > 0 ? 'repeated-header' : { leaf, sent: [] }
}
