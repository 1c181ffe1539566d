/** Who is calling. Judged anew for each request: a kept or resumed connection outlives its certificate. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { HostName } from '@cis490/shared/ids.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { header } from '@cis490/shared/protocol.ts'
import { type CertificateFault, certificateRefusal, judgeCertificate, wrongHostRefusal } from '../core/certificate-verdict.ts'
import { isRevoked, type Revoked } from '../core/revocation.ts'
import { addressSet, remoteOf } from './address.ts'
import { ClientAuthorities } from './chain.ts'
import { type HostsList, isListed, parseHostsList } from './hosts-list.ts'
import { type Presented, type ProxyFormat, proxiedCertificate } from './proxy-certificate.ts'
import { presentedBy } from './tls-peer.ts'
import { WatchedFile } from './watched-file.ts'

const day = 86_400_000

export interface Peer {
  readonly host?: HostName
  /** Lower-case hex SHA-256 of the client certificate. */
  readonly fingerprint?: string
  readonly reader: boolean
  /** Address of the connection: the proxy's, where there is one. */
  readonly remote: string
  readonly via: 'certificate' | 'proxy' | 'header' | 'none'
  /** When its host joined, epoch milliseconds; of a certificate that is not recorded here, when that began. */
  readonly joinedAt?: number
  /** X-Cis490-Host means nothing for this peer. */
  readonly ignoresClaim?: boolean
}

export interface CaRecord {
  /** When the host joined that this certificate goes back to; undefined: it is not from there. */
  joinedAt(fingerprint: string): number | undefined
  /** Which certificate asked for this one by renewal. */
  replaced(fingerprint: string): string | undefined
}

export interface PeerOptions {
  /** Left out: certificates are not asked for, unless there are trusted proxies. */
  readonly clientCaPem?: string | undefined
  readonly trustedProxies: readonly string[]
  readonly proxyCert: ProxyFormat
  readonly readers: readonly string[]
  /** Path of the allow-list; empty: none. */
  readonly hostsFile: string
  /** What an operator has thrown out. */
  readonly revoked?: (now: number) => Revoked
  /** Of the receiver's own CA. */
  readonly ownCa?: CaRecord | undefined
  readonly graceMs?: number
  readonly log?: Logger | undefined
}

export interface Asking {
  /** Epoch milliseconds. */
  readonly now: number
  /** The route takes a certificate that ended less than `graceMs` ago. */
  readonly grace: boolean
}

export class PeerCheck {
  readonly #options: PeerOptions
  readonly #isProxy: (address: string) => boolean
  readonly #readers: ReadonlySet<string>
  readonly #hosts: WatchedFile<HostsList> | undefined
  #authorities: ClientAuthorities | undefined

  /** @throws ConfigError */
  constructor(options: PeerOptions) {
    this.#options = options
    this.#isProxy = addressSet(options.trustedProxies)
    this.#readers = new Set(options.readers.map((name) => name.toLowerCase()))
    const { hostsFile, log } = options
    this.#hosts = hostsFile === '' ? undefined : new WatchedFile(hostsFile, (text) => parseHostsList(text, hostsFile), log)
    if (options.clientCaPem !== undefined) this.setClientCa(options.clientCaPem)
  }

  /** Takes up a changed client_ca_file; what the old one proved is forgotten. @throws ConfigError, and the old one stays */
  setClientCa(pem: string): void {
    this.#authorities = new ClientAuthorities(pem, this.#authorities?.intermediates)
  }

  /** @throws Refusal, and nothing else */
  identify(req: IncomingMessage, asking: Asking): Peer {
    const remote = remoteOf(req)
    if (this.#isProxy(remote)) return this.#certified(proxiedCertificate(req, this.#options.proxyCert), 'proxy', remote, asking)
    if (this.#authorities !== undefined || this.#options.trustedProxies.length > 0)
      return this.#certified(presentedOn(req.socket), 'certificate', remote, asking)
    const host = claimedHost(req)
    return { ...(host !== undefined && { host }), reader: false, remote, via: host === undefined ? 'none' : 'header' }
  }

  /**
   * Whose a manifest is that was signed with this certificate's key, which the caller has checked. One that has expired since it was made
   * still counts for `graceMs`.
   * @throws Refusal, and nothing else
   */
  holder(presented: Presented, { now, madeAt }: { readonly now: number; readonly madeAt: number }): Peer {
    const { validFrom, validTo } = presented.leaf
    return this.#certified(presented, 'certificate', 'export', { now, grace: validFrom <= madeAt && madeAt <= validTo })
  }

  #certified(
    presented: Presented | CertificateFault,
    via: 'certificate' | 'proxy',
    remote: string,
    { now, grace }: Asking,
  ): Peer {
    const { ownCa } = this.#options
    const joins = ownCa !== undefined
    if (typeof presented === 'string') throw certificateRefusal(presented, { joins, renewable: false })
    const { leaf, sent } = presented
    const joined = ownCa?.joinedAt(leaf.fingerprint)
    const joinedAt = joined ?? leaf.validFrom
    const { name: host, fingerprint } = leaf
    const revoked = this.#options.revoked?.(now)
    const graceMs = this.#options.graceMs ?? 30 * day
    const verdict = judgeCertificate(leaf, {
      now,
      paths: this.#authorities?.paths(leaf, sent, now) ?? (via === 'proxy' ? 'proxy' : []),
      // What our own CA recorded is on the list: renewals would outrun a file that a person keeps.
      listed: this.#hosts === undefined || joined !== undefined || isListed(this.#hosts.get(now), fingerprint, host),
      revoked: revoked !== undefined && isRevoked(revoked, { host, fingerprint, joinedAt }, ownCa?.replaced),
      graceMs: grace ? graceMs : 0,
    })
    if (verdict !== 'valid' && verdict !== 'valid-in-grace')
      throw certificateRefusal(verdict, { joins, renewable: now - leaf.validTo < graceMs })
    const reader = host !== undefined && this.#readers.has(host)
    const ignoresClaim = this.#options.trustedProxies.length > 0
    return { ...(host !== undefined && { host }), fingerprint, ...(joins && { joinedAt }), reader, remote, via, ignoresClaim }
  }
}

function presentedOn(socket: Socket): Presented | CertificateFault {
  return socket instanceof TLSSocket ? presentedBy(socket) : 'missing'
}

/** The host of a peer that must have one. @throws Refusal host-missing */
export function requireHost(peer: Peer): HostName {
  if (peer.host !== undefined) return peer.host
  throw new Refusal('host-missing', 'neither a client certificate nor X-Cis490-Host names the host')
}

/** Whether X-Cis490-Host, where it counts and is sent, is the peer's own name. */
export function claimedHostAgrees(req: IncomingMessage, peer: Peer): boolean {
  const claim = req.headers[header.host]
  if (peer.ignoresClaim === true || claim === undefined) return true
  const parsed = HostName.safeParse(claim)
  return parsed.success && parsed.data === peer.host
}

/** @throws Refusal wrong-host */
export function requireClaimedHost(req: IncomingMessage, peer: Peer): void {
  if (!claimedHostAgrees(req, peer)) throw wrongHostRefusal(peer.host ?? 'nobody')
}

function claimedHost(req: IncomingMessage): HostName | undefined {
  const claim = req.headers[header.host]
  if (claim === undefined) return undefined
  const parsed = HostName.safeParse(claim)
  if (parsed.success) return parsed.data
  throw new Refusal('host-missing', 'X-Cis490-Host is no host name: letters, digits, dots and hyphens are expected')
}
