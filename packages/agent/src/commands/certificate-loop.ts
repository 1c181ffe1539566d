/** The daemon's care for its certificate: takes up one that is new on the disk, and fetches one when it is due. Shipping goes on meanwhile. */
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import type { App } from '../app.ts'
import { minute } from '../core/backoff.ts'
import { loadIdentity } from '../ship/identity.ts'
import type { AgentContext } from './context.ts'
import { noAuthority } from './enroll.ts'
import { reload } from './loops.ts'
import { type Renewal, renewIfDue } from './renew.ts'
import { Wake } from './wake.ts'

/** Milliseconds; `fetch-cert` beside us, or a person, may have replaced the files. */
const lookAgainMs = minute
const busyMs = 1000
/** As long as it takes a person with a token. */
const helplessMs = 15 * minute

export interface CertificateEvents {
  /** There is a new certificate in use. */
  readonly renewed: () => void
  /** Called after each look; the first one comes before anything is shipped with a certificate that has ended meanwhile. */
  readonly looked: () => void
}

export async function certificateLoop(
  context: AgentContext,
  app: App,
  signal: AbortSignal,
  { renewed, looked }: CertificateEvents,
): Promise<void> {
  const wake = new Wake(signal)
  const told = new Set<string>()
  while (context.config.receiver.cert_file && !signal.aborted) {
    const wait = await certificateTurn(context, app, signal, told, renewed).catch((error: unknown) => {
      context.log.error({ event: 'certificate-failed', cause: messageOf(error) }, 'could not look after the certificate')
      return lookAgainMs
    })
    looked()
    await wake.sleep(Math.min(wait, lookAgainMs))
  }
  looked()
}

/** @param told what was logged already, and did not change since. @returns milliseconds until the next turn */
export async function certificateTurn(
  context: AgentContext,
  app: App,
  signal: AbortSignal,
  told: Set<string>,
  renewed: () => void,
): Promise<number> {
  const { config, now } = context
  const renewal = await renewIfDue({ config, now, random: app.shipping.random, signal })
  if (signal.aborted) return 0
  if (takeUp(context, app)) renewed()
  tell(context, renewal, told)
  return Math.max(0, waitOf(renewal, now()))
}

function waitOf(renewal: Renewal, now: number): number {
  if (renewal.did === 'renewed') return renewal.due - now
  if (renewal.did === 'nothing') return renewal.reason === 'busy' ? busyMs : helplessMs
  return renewal.until - now
}

/** @returns whether a certificate that is new on the disk is in use now */
function takeUp(context: AgentContext, app: App): boolean {
  const { config } = context
  try {
    const { cert } = loadIdentity(config.receiver, config.host.name)
    if (cert === app.shipping.client().certificate) return false
  } catch {
    // Half of a pair, put there by hand: the other half will follow, and the doctor says so.
    return false
  }
  return reload(app, context)
}

/** Once for each state. */
function tell({ log }: AgentContext, renewal: Renewal, told: Set<string>): void {
  if (renewal.did === 'renewed') {
    told.clear()
    log.info({ event: 'certificate-renewed', not_after: renewal.notAfter }, 'the certificate of this host is renewed')
  } else if (renewal.did === 'nothing' && renewal.reason !== 'busy') {
    if (isNew(told, renewal.reason)) log.error({ event: 'certificate-lost', code: renewal.reason, remedy: rejoin }, lost)
  } else if (renewal.did === 'failed') tellFailure(log, renewal, told)
}

const lost = 'the certificate of this host cannot be renewed any more'
const rejoin = 'cis490-receiver token create on the receiver, then here: sudo cis490-agent fetch-cert --token TOKEN'

function tellFailure(log: Logger, { failure, late }: Renewal & { did: 'failed' }, told: Set<string>): void {
  const { code, message: cause } = failure
  if (!isNew(told, late ? `${code}, late` : code)) return
  if (code === noAuthority)
    log.info({ event: 'certificate-of-site' }, 'the receiver has no CA: the certificate is for the site to renew')
  else if (late)
    log.error(
      { event: 'certificate-not-renewed', code, cause, remedy: 'sudo cis490-agent fetch-cert --now' },
      'the certificate is about to end, and is not renewed',
    )
  else
    log.warn(
      { event: 'certificate-not-renewed', code, cause },
      'the certificate is not renewed yet: tried again, shipping goes on with the present one',
    )
}

function isNew(told: Set<string>, state: string): boolean {
  if (told.has(state)) return false
  told.add(state)
  return true
}
