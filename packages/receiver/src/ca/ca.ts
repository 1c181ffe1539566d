/** The CA at work: gives certificates to hosts, by token or by the certificate they have. */
import { X509Certificate } from 'node:crypto'
import { type HostName, timestamp } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { Attempts } from '../core/attempts.ts'
import { backdated } from '../core/ca-plan.ts'
import type { JoinToken, TokenVerdict } from '../core/join-token.ts'
import { judgeRequest, type RequestFault, requestFaultText } from '../core/signing-request.ts'
import { certificatesOnly, certify } from './authority.ts'
import { IssuedLog, type IssuedRow } from './issued-log.ts'
import { caPaths } from './paths.ts'
import { type ReadRequest, readRequest } from './signing-request.ts'
import { type CaEvent, type CaSettings, present, type Tended, tendCa } from './tend.ts'
import { TokenStore } from './token-store.ts'

const minute = 60_000

/** Who asks, by which right. */
export interface Asker {
  readonly host: HostName
  /** Of the certificate that is presented. */
  readonly replaces?: string | undefined
  /** Epoch milliseconds; left out: by the record, else now. */
  readonly joinedAt?: number | undefined
}

export class Ca implements AsyncDisposable {
  readonly #settings: CaSettings
  readonly #issued: IssuedLog
  readonly #tokens: TokenStore
  #state: Omit<Tended, 'events'>
  /** By address: tokens that did not hold. */
  readonly #failures = new Attempts({ most: 20, windowMs: minute })
  /** By host: certificates given out. A host needs one in weeks. */
  readonly #grants = new Attempts({ most: 10, windowMs: minute })

  private constructor(settings: CaSettings, state: Omit<Tended, 'events'>, issued: IssuedLog) {
    this.#settings = settings
    this.#state = state
    this.#issued = issued
    this.#tokens = new TokenStore(caPaths(settings.stateDir).tokens)
  }

  /** After `tendCa` has made what was missing. @param now epoch milliseconds */
  static async open(settings: CaSettings, now: number): Promise<Ca> {
    const state = await present(settings, now)
    return new Ca(settings, state, await IssuedLog.open(caPaths(settings.stateDir).issued, now))
  }

  /** When the host joined that this certificate goes back to; undefined: it is not from here. */
  joinedAt(fingerprint: string): number | undefined {
    return this.#issued.joinedAt(fingerprint)
  }

  /** PKCS #7, certs-only: the present authority and its successor. */
  certificates(): Buffer {
    return certificatesOnly(this.#state.authorities.map(({ certPem }) => certPem))
  }

  /** @returns the new certificate as PKCS #7, after its row is durable. @throws Refusal */
  async join(token: JoinToken, host: HostName, der: Uint8Array, asking: { readonly from: string; readonly now: number }) {
    const { from, now } = asking
    const request = await this.#readRequest(der, host)
    this.#admit(host, now)
    const verdict = await this.#tokens.redeem(
      token,
      this.#state.authorities.map(({ pin }) => pin),
      { host, key: request.keyHash, now },
    )
    if (verdict !== 'good') throw this.refused(verdict, from, now)
    return await this.#grant({ host, joinedAt: now }, request, now, token.id)
  }

  /** The same for a host that shows the certificate it has. @throws Refusal */
  async renew(asker: Asker, der: Uint8Array, now: number) {
    const request = await this.#readRequest(der, asker.host)
    this.#admit(asker.host, now)
    return await this.#grant(asker, request, now)
  }

  /** @throws Refusal rate, for an address that failed too often */
  heard(from: string, now: number): void {
    const wait = this.#failures.wait(from, now)
    if (wait > 0) throw tooMany('join tokens that do not hold', wait)
  }

  /** Counts a failed attempt. */
  refused(why: Exclude<TokenVerdict, 'good'> | 'used' | 'unreadable', from: string, now: number): Refusal {
    this.#failures.note(from, now)
    return new Refusal('join-refused', refusals[why], {
      remediation: 'on the receiver: cis490-receiver token create --host NAME',
    })
  }

  /** What is due is made, and taken up; what the operator's command made too. */
  async tend(now: number): Promise<{ readonly events: readonly CaEvent[]; readonly changed: boolean }> {
    const { events, ...state } = await tendCa(this.#settings, now)
    const pins = ({ authorities }: typeof state) => authorities.map(({ pin }) => pin).join()
    const changed = events.length > 0 || pins(state) !== pins(this.#state)
    this.#state = state
    this.#issued.forget(now)
    await this.#tokens.clean(now)
    return { events, changed }
  }

  #admit(host: HostName, now: number): void {
    const wait = this.#grants.wait(host, now)
    if (wait > 0) throw tooMany(`certificates for ${host}`, wait)
  }

  async #readRequest(der: Uint8Array, host: string): Promise<ReadRequest> {
    const request = await readRequest(der)
    if (!request) throw badRequest('unreadable')
    const verdict = judgeRequest(request, host)
    if (verdict !== 'good') throw badRequest(verdict)
    return request
  }

  async #grant(
    asker: Asker,
    { publicKey }: ReadRequest,
    now: number,
    token?: string,
  ): Promise<{ pkcs7: Buffer; row: IssuedRow }> {
    const issuer = this.#state.issuer?.authority
    if (!issuer) throw new Refusal('ca-unavailable', 'the receiver has the key of no CA that is valid now; its log says more')
    const { host, replaces } = asker
    this.#grants.note(host, now)
    const { lifetime } = this.#settings.ca
    const pem = await certify(
      issuer,
      {
        commonName: host,
        dnsNames: [host],
        usage: 'client',
        notBefore: new Date(backdated(now, lifetime)),
        notAfter: new Date(Math.min(now + lifetime, issuer.certificate.notAfter.getTime())),
      },
      publicKey,
    )
    const made = new X509Certificate(pem)
    const row: IssuedRow = {
      at: timestamp(now),
      host,
      serial: made.serialNumber.toLowerCase(),
      fingerprint: made.fingerprint256.replaceAll(':', '').toLowerCase() as IssuedRow['fingerprint'],
      not_after: timestamp(made.validToDate.getTime()),
      by: token === undefined ? 'renewal' : 'token',
      ...(token !== undefined && { token }),
      ...(replaces !== undefined && { replaces: replaces as IssuedRow['fingerprint'] }),
      joined_at: timestamp(asker.joinedAt ?? now),
    }
    await this.#issued.append(row)
    return { pkcs7: certificatesOnly([pem]), row }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#issued[Symbol.asyncDispose]()
  }
}

const refusals = {
  unreadable: 'HTTP Basic with the host as user name and a join token as password is expected',
  unknown: 'this join token is not known here',
  'other-ca': 'this join token was made for another CA',
  'other-host': 'this join token is for another host than the user name says',
  expired: 'this join token has expired',
  used: 'this join token was used before, for another key',
} as const

function badRequest(fault: RequestFault): Refusal {
  return new Refusal('bad-csr', requestFaultText(fault))
}

function tooMany(what: string, waitMs: number): Refusal {
  return new Refusal('rate', `too many ${what} within a minute`, { retry_after_s: Math.ceil(waitMs / 1000) })
}
