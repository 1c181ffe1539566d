/** The certificate of this host, renewed when its plan says so. The daemon and `fetch-cert` do the same, one at a time. */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { readPair } from '@cis490/shared/node/key-pair.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { estPath } from '@cis490/shared/protocol.ts'
import { makeClient } from '../app.ts'
import { readAuthorities } from '../certs/authorities.ts'
import { fingerprintOf } from '../certs/issued.ts'
import { type FetchRecord, failedRecord, fetchedRecord, lastAttempt, readFetchRecord, writeFetchRecord } from '../certs/record.ts'
import { finishSwap } from '../certs/swap.ts'
import type { AgentConfig } from '../config.ts'
import { hour, jitteredDelay } from '../core/backoff.ts'
import { dueAt, type RenewalFacts, type RenewalPlan, renewalPlan } from '../core/renewal-plan.ts'
import { type Enrolled, type EnrollFailure, enroll, noAuthority } from './enroll.ts'

export interface Renewing {
  readonly config: AgentConfig
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
  readonly signal?: AbortSignal | undefined
}

export type Renewal =
  | { readonly did: 'renewed'; readonly notAfter: string; readonly due: number }
  /** `late`: little of its life is left. */
  | { readonly did: 'failed'; readonly failure: EnrollFailure; readonly late: boolean; readonly until: number }
  | { readonly did: 'waited'; readonly reason: 'not-due' | 'backing-off'; readonly notAfter: string; readonly until: number }
  | { readonly did: 'nothing'; readonly reason: 'expired-too-long' | 'no-certificate' | 'busy' }

/** Part of its life. */
const late = 0.1

/** `when-due`: also while the daemon waits after a failure, for whoever asks has mended something. `now`: due or not. */
export type Eagerness = 'as-planned' | 'when-due' | 'now'

export async function renewIfDue(renewing: Renewing, eager: Eagerness = 'as-planned'): Promise<Renewal> {
  const { config, now } = renewing
  const force = eager === 'now'
  const look = () => withoutPatience(presentFacts(config), eager)
  const seen = look()
  // A look is cheap and takes no lock: what is not due disturbs nobody.
  const early = seen && renewalPlan(seen, now())
  if (seen && early?.go === 'wait' && !force) return waited(seen, early)
  using lock = takeLock(join(config.paths.state, 'certificate.lock'))
  if (!lock) return { did: 'nothing', reason: 'busy' }
  await finishSwap(config.receiver)
  const facts = look()
  if (!facts) return { did: 'nothing', reason: 'no-certificate' }
  const plan = renewalPlan(facts, now())
  if (plan.go === 'cannot') return { did: 'nothing', reason: plan.reason }
  return plan.go === 'wait' && !force ? waited(facts, plan) : await renew(renewing, facts)
}

function withoutPatience(facts: RenewalFacts | undefined, eager: Eagerness): RenewalFacts | undefined {
  return facts?.last && eager !== 'as-planned' ? { ...facts, last: { ...facts.last, failures: 0 } } : facts
}

function waited({ to }: RenewalFacts, plan: RenewalPlan & { go: 'wait' }): Renewal {
  return { did: 'waited', reason: plan.reason, notAfter: timestamp(to), until: plan.until }
}

async function renew({ config, now, random, signal }: Renewing, { from, to, fingerprint }: RenewalFacts): Promise<Renewal> {
  const before = readFetchRecord(config.paths.state)
  const enrolled = await attempt(config, now, signal)
  if ('certificate' in enrolled) {
    await rememberFetched(config, enrolled.certificate, now())
    const facts = factsOf(enrolled.certificate, config)
    return { did: 'renewed', notAfter: timestamp(facts.to), due: dueAt(facts) }
  }
  const failures = before?.fingerprint === fingerprint ? before.failures : 0
  const wait = enrolled.code === noAuthority ? hour : jitteredDelay(failures, random())
  const until = now() + Math.max(wait, enrolled.retryAfter ?? 0)
  await remember(config, failedRecord(before, fingerprint, enrolled, now(), until))
  return { did: 'failed', failure: enrolled, late: now() > to - late * (to - from), until }
}

async function attempt(config: AgentConfig, now: () => number, signal: AbortSignal | undefined): Promise<Enrolled> {
  try {
    // A connection of its own: those that ship keep theirs.
    await using client = makeClient(config, { connections: 1, idleTimeout: 30_000 })
    const known = await readAuthorities(config.receiver.ca_file)
    return await enroll({ config, client, path: estPath.reenroll, known, now, signal })
  } catch (error) {
    return { code: isErrno(error, 'ENOSPC', 'EDQUOT') ? 'disk-full' : 'failed', message: messageOf(error) }
  }
}

export async function rememberFetched(config: AgentConfig, certificate: X509Certificate, now: number): Promise<void> {
  await remember(config, fetchedRecord(fingerprintOf(certificate), now))
}

/** On a full disk the next attempt knows less, that is all. */
async function remember({ paths }: AgentConfig, record: FetchRecord): Promise<void> {
  await writeFetchRecord(paths.state, record).catch(() => undefined)
}

/** @returns undefined where there is no certificate that can be read */
function presentFacts(config: AgentConfig): RenewalFacts | undefined {
  try {
    return factsOf(new X509Certificate(readPair(config.receiver).cert), config)
  } catch {
    return undefined
  }
}

export function factsOf(certificate: X509Certificate, { certs, paths }: AgentConfig): RenewalFacts {
  return {
    from: certificate.validFromDate.getTime(),
    to: certificate.validToDate.getTime(),
    fingerprint: fingerprintOf(certificate),
    renewAt: certs.renew_at,
    last: lastAttempt(readFetchRecord(paths.state)),
  }
}
