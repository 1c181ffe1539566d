/** Files that the configuration names, read and checked before anything listens: one readable line for each mistake. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { parsePemFile, readPemFile } from '@cis490/shared/node/pem-file.ts'
import type { ReceiverConfig } from './config.ts'
import { isLoopback, type TlsMaterial } from './http/listener.ts'
import type { PeerOptions } from './http/peer.ts'

/** @throws ConfigError */
export function readTls(config: ReceiverConfig, now: number): TlsMaterial | undefined {
  if (!config.tls) return undefined
  const cert = readPemFile(config.tls.cert_file, 'tls.cert_file')
  const key = readPemFile(config.tls.key_file, 'tls.key_file')
  const certificate = parsePemFile(() => new X509Certificate(cert), config.tls.cert_file, 'a certificate')
  const privateKey = parsePemFile(() => createPrivateKey(key), config.tls.key_file, 'a private key')
  if (!certificate.checkPrivateKey(privateKey))
    throw new ConfigError(`tls: ${config.tls.key_file} is not the key of the certificate ${config.tls.cert_file}`)
  if (certificate.validToDate.getTime() <= now)
    throw new ConfigError(
      `tls.cert_file: ${config.tls.cert_file} expired on ${certificate.validTo}; put a new server certificate there`,
    )
  return { cert, key, endsAt: certificate.validToDate.getTime() }
}

/** How callers are known: certificates count over TLS and behind trusted proxies only. @throws ConfigError */
export function peerOptions(config: ReceiverConfig): PeerOptions {
  const certified = config.tls !== undefined || config.auth.trusted_proxies.length > 0
  return {
    clientCaPem: certified ? readClientCa(config) : undefined,
    trustedProxies: config.auth.trusted_proxies,
    proxyCert: config.auth.proxy_cert,
    readers: config.auth.readers,
    hostsFile: config.auth.hosts_file,
  }
}

/** How the signers of exports are known: without an authority nobody is. @throws ConfigError */
export function exportPeerOptions(config: ReceiverConfig): PeerOptions {
  const clientCaPem = readClientCa(config)
  if (clientCaPem === undefined)
    throw new ConfigError(
      'auth.client_ca_file: has to name the CA of the hosts: the signature of an export is checked against it',
    )
  return { ...peerOptions(config), clientCaPem }
}

/** @throws ConfigError */
function readClientCa(config: ReceiverConfig): string | undefined {
  const { client_ca_file } = config.auth
  const own = config.ca === undefined ? undefined : readPemFile(config.ca.cert_file, 'ca.cert_file')
  const others =
    client_ca_file === '' || client_ca_file === config.ca?.cert_file
      ? undefined
      : readPemFile(client_ca_file, 'auth.client_ca_file')
  return own === undefined ? others : `${own}${others ?? ''}`
}

/** Plain HTTP is for loopback and for trusted proxies; TLS that asks nobody who he is, for loopback. @throws ConfigError */
export function checkExposure(config: ReceiverConfig): void {
  const { client_ca_file, trusted_proxies } = config.auth
  if (!isLoopback(config.ops_listen))
    throw new ConfigError(
      `ops_listen: ${config.ops_listen} is not loopback: this listener asks nobody who he is and reads everything`,
    )
  if (isLoopback(config.listen) || trusted_proxies.length > 0) return
  if (!config.tls)
    throw new ConfigError(`listen: ${config.listen} is not loopback: add [tls], or name the TLS proxy in auth.trusted_proxies`)
  if (client_ca_file === '' && !config.ca)
    throw new ConfigError(`auth.client_ca_file: has to name the CA of the hosts, because ${config.listen} is not loopback`)
}

/** A file that is wrong must not keep the others from being taken up. @throws ConfigError for those that were left */
export function reloadEach(steps: readonly (() => void)[]): void {
  const failures: string[] = []
  for (const step of steps)
    try {
      step()
    } catch (error) {
      failures.push(messageOf(error))
    }
  if (failures.length > 0) throw new ConfigError(failures.join('; '))
}
