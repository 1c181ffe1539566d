/** The CA certificates of a receiver that nothing here vouches for yet. Only one that the join token names is believed. */
import type { X509Certificate } from 'node:crypto'
import { estPath } from '@cis490/shared/protocol.ts'
import { Agent } from 'undici'
import { fingerprintOf, readCertificates } from './issued.ts'

/** Milliseconds for all of it. */
const patience = 20_000
const limit = 256 * 1024

/**
 * Over TLS whose certificate is not checked: what comes is public, and counts by its hash alone.
 * @returns the CA that was named, or what is wrong. @throws what the network does
 */
export async function namedAuthority(url: string, pin: string): Promise<X509Certificate | string> {
  const { origin, pathname } = new URL(url)
  await using stack = new AsyncDisposableStack()
  const agent = stack.adopt(
    new Agent({
      allowH2: false,
      maxResponseSize: limit,
      // An identity is given to nobody here: no certificate, no token.
      connect: { rejectUnauthorized: false, allowH2: false, timeout: 10_000 },
    }),
    (one) => one.destroy(),
  )
  const { statusCode, body } = await agent.request({
    origin,
    path: pathname.replace(/\/$/, '') + estPath.cacerts,
    method: 'GET',
    signal: AbortSignal.timeout(patience),
  })
  const text = await body.text()
  if (statusCode !== 200) return `it has no CA of its own (${statusCode} for ${estPath.cacerts}): is [ca] in its configuration?`
  const told = readCertificates(text)
  if (typeof told === 'string') return `its answer is no list of CA certificates: ${told}`
  return (
    told.find((one) => fingerprintOf(one) === pin) ??
    'its CA is not the one that the token names: another receiver answers there, or somebody in between; check receiver.url, and make a new token'
  )
}
