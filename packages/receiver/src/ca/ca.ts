/** The CA at work: gives certificates to hosts, by token or by the certificate they have. */
import { X509Certificate } from 'node:crypto'
import { type HostName, timestamp } from '@cis490/shared/ids.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import { Attempts } from '../core/attempts.ts'
import { backdated } from '../core/ca-plan.ts'
import { badRequest, joinRefused, tooMany } from '../core/est-refusal.ts'
import { type GrantedBy, GrantLimit } from '../core/grant-limit.ts'
import type { JoinToken } from '../core/join-token.ts'
import { judgeRequest } from '../core/signing-request.ts'
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
  #shown: Buffer
  /** By who tries: tokens that did not hold, requests that could not be granted. */
  readonly #failures = new Attempts({ most: 20, windowMs: minute })
  /** By host: certificates given out. */
  readonly #grants: GrantLimit

  private constructor(settings: CaSettings, state: Omit<Tended, 'events'>, issued: IssuedLog) {
    this.#settings = settings
    this.#state = state
    this.#shown = shownOf(state)
    this.#issued = issued
    this.#grants = new GrantLimit(settings.ca.lifetime)
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

  /** Which certificate asked for this one by renewal. */
  replaced(fingerprint: string): string | undefined {
    return this.#issued.replaced(fingerprint)
  }

  /** PKCS #7, certs-only: the present authority and its successor. */
  certificates(): Buffer {
    return this.#shown
  }

  /** Before anything of the request is read. The token is not used up by it. @throws Refusal */
  async mayJoin(token: JoinToken, host: HostName, now: number): Promise<void> {
    const verdict = await this.#tokens.judge(token, this.#pins(), { host, now })
    if (verdict !== 'good') throw joinRefused(verdict)
  }

  /** @returns the new certificate as PKCS #7, after its row is durable. @throws Refusal */
  async join(token: JoinToken, host: HostName, der: Uint8Array, now: number) {
    const request = await this.#readRequest(der, host)
    this.admit('token', host, now)
    const verdict = await this.#tokens.redeem(token, this.#pins(), { host, key: request.keyHash, now })
    if (verdict !== 'good') throw joinRefused(verdict)
    const granted = await this.#grant({ host, joinedAt: now }, request, now, token.id)
    // Taken away meanwhile: a revocation may have looked at the record before this row was in it.
    if (!(await this.#tokens.has(token.id))) throw joinRefused('unknown')
    return granted
  }

  /** The same for a host that shows the certificate it has. @throws Refusal */
  async renew(asker: Asker, der: Uint8Array, now: number) {
    return await this.#grant(asker, await this.#readRequest(der, asker.host), now)
  }

  /** @param who an address, a host. @throws Refusal rate, for one that failed too often */
  heard(who: string, now: number): void {
    const wait = this.#failures.wait(who, now)
    if (wait > 0) throw tooMany('attempts that failed within a minute', wait)
  }

  /** Counts a failed attempt. */
  failed(who: string, now: number): void {
    this.#failures.note(who, now)
  }

  /** @throws Refusal rate, for a host that got too many */
  admit(by: GrantedBy, host: HostName, now: number): void {
    const wait = this.#grants.wait(by, host, now)
    if (wait > 0) throw tooMany(`certificates for ${host}`, wait)
  }

  /** What is due is made, and taken up; what the operator's command made too. */
  async tend(now: number): Promise<{ readonly events: readonly CaEvent[]; readonly changed: boolean }> {
    const { events, ...state } = await tendCa(this.#settings, now)
    const facts = ({ authorities, server }: typeof state) => [...authorities.map(({ pin }) => pin), server].join()
    const changed = events.length > 0 || facts(state) !== facts(this.#state)
    this.#state = state
    if (changed) this.#shown = shownOf(state)
    return { events, changed }
  }

  /** Lets go of what has ended: rows in memory, tokens. */
  async clean(now: number): Promise<void> {
    this.#issued.forget(now)
    await this.#tokens.clean(now)
  }

  #pins(): string[] {
    return this.#state.authorities.map(({ pin }) => pin)
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
    { publicKey, keyHash }: ReadRequest,
    now: number,
    token?: string,
  ): Promise<{ pkcs7: Buffer; row: IssuedRow }> {
    const issuer = this.#state.issuer?.authority
    if (!issuer) throw new Refusal('ca-unavailable', 'the receiver has the key of no CA that is valid now; its log says more')
    const { host, replaces } = asker
    const by = token === undefined ? 'renewal' : 'token'
    // In one breath with its count: those that come at once are ten as well.
    this.admit(by, host, now)
    this.#grants.note(by, host, now)
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
      by,
      ...(token !== undefined && { token }),
      ...(replaces !== undefined && { replaces: replaces as IssuedRow['fingerprint'] }),
      key_sha256: keyHash as IssuedRow['key_sha256'],
      joined_at: timestamp(asker.joinedAt ?? now),
    }
    await this.#issued.append(row)
    return { pkcs7: certificatesOnly([pem]), row }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#issued[Symbol.asyncDispose]()
  }
}

function shownOf({ authorities }: Omit<Tended, 'events'>): Buffer {
  return certificatesOnly(authorities.map(({ certPem }) => certPem))
}
