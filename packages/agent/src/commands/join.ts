/** A new host's first certificate, by its join token: nothing but the token vouches for the receiver yet. */
import type { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { HostName } from '@cis490/shared/ids.ts'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { estPath } from '@cis490/shared/protocol.ts'
import { pemOf, readAuthorities } from '../certs/authorities.ts'
import { namedAuthority } from '../certs/first-contact.ts'
import { finishSwap } from '../certs/swap.ts'
import type { AgentConfig } from '../config.ts'
import type { JoinToken } from '../core/join-token.ts'
import { Client } from '../ship/client.ts'
import { faultOf } from '../ship/faults.ts'
import { certificateHost } from '../ship/identity.ts'
import { enroll } from './enroll.ts'
import { rememberFetched } from './renew.ts'

/** The caller holds the lock of the certificate. @throws UserError with what is wrong and what to do */
export async function join(config: AgentConfig, token: JoinToken, now: () => number): Promise<X509Certificate> {
  const { url, ca_file } = config.receiver
  if (!url.startsWith('https:'))
    throw new ConfigError(`receiver.url: ${url} is not https: a join token is a secret and goes over TLS only`)
  await finishSwap(config.receiver)
  const named = await firstContact(url, token.caPin)
  const host = nameOf(config)
  const joinWith = async (known: readonly X509Certificate[]) => {
    const identity = { host, ca: pemOf([named, ...known]) }
    await using client = new Client({ url, identity, connections: 1, idleTimeout: 30_000 })
    const authorization = `Basic ${Buffer.from(`${host}:${token.text}`).toString('base64')}`
    return await enroll({ config, client, path: estPath.enroll, headers: { authorization }, known, now })
  }
  let enrolled = await joinWith([])
  // What was believed before is needed only where the site's own CA signed the receiver's certificate; else it is forgotten.
  const known = await readAuthorities(ca_file).catch(() => [])
  if ('code' in enrolled && enrolled.code === 'server-certificate' && known.length > 0) enrolled = await joinWith(known)
  if (!('certificate' in enrolled))
    throw new UserError(`${host} did not get a certificate: ${enrolled.message}`, exit.undetermined)
  await rememberFetched(config, enrolled.certificate, now())
  return enrolled.certificate
}

async function firstContact(url: string, pin: string): Promise<X509Certificate> {
  const where = new URL(url).host
  const named = await namedAuthority(url, pin).catch((error: unknown) => {
    const { message } = faultOf(error, { where, tls: true, answeredBefore: true, certificate: false })
    throw new UserError(message, exit.undetermined)
  })
  if (typeof named === 'string') throw new UserError(`${where}: ${named}`, exit.undetermined)
  return named
}

/** As configured, else as in the certificate of before, else what the machine is called. */
export function nameOf({ host, receiver }: AgentConfig): HostName {
  if (host.name) return host.name
  try {
    return certificateHost(readFileSync(receiver.cert_file, 'utf8'), receiver.cert_file)
  } catch {
    const own = HostName.safeParse(hostname())
    if (own.success) return own.data
    throw new ConfigError(`host.name: "${hostname()}" is no host name; set host.name to the one that the token was made for`)
  }
}
