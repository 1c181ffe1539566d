/** Makes what is missing or due: the CA, its successor, the server certificate. One process at a time; whoever calls again finds nothing left to do. */
import { counted } from '@cis490/shared/counted.ts'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { authorityPlan, serverPlan } from '../core/ca-plan.ts'
import { type AuthorityFiles, addAuthority, type KnownAuthority, keepAuthorities, loadAuthorities } from './authority-files.ts'
import { readIssued } from './issued-log.ts'
import { lockSoon } from './lock.ts'
import { caPaths } from './paths.ts'
import { makeServerCertificate, serverFacts } from './server-certificate.ts'

export interface CaSettings {
  readonly stateDir: string
  readonly ca: AuthorityFiles & { readonly lifetime: number; readonly server_names: readonly string[] }
  /** Left out: a proxy in front has the server certificate. */
  readonly tls?: AuthorityFiles | undefined
}

export type CaEvent = 'ca-made' | 'successor-made' | 'ca-ended' | 'server-certificate'

export interface Tended {
  readonly authorities: readonly KnownAuthority[]
  /** The one that signs now. */
  readonly issuer: KnownAuthority | undefined
  /** Of the CA that hosts will find on the first contact. */
  readonly pin: string | undefined
  /** Fingerprint of the server certificate, where the CA has signed it. */
  readonly server: string | undefined
  readonly events: readonly CaEvent[]
}

/** @param force makes a successor even if none is due @throws ConfigError, or the system's error */
export async function tendCa(settings: CaSettings, now: number, force = false): Promise<Tended> {
  const { folder, lock } = caPaths(settings.stateDir)
  await makeDir(folder)
  using held = await lockSoon(lock)
  if (!held) return { ...(await present(settings, now)), events: [] }
  const events: CaEvent[] = []
  const before = await loadAuthorities(settings.ca)
  const plan = authorityPlan(before, now, settings.ca.lifetime)
  if (before.length === 0 && !force) await refuseIfLost(settings, now)
  if (plan.successor === 'due' || force) {
    await addAuthority(settings.ca, now)
    events.push(before.length === 0 ? 'ca-made' : 'successor-made')
  }
  const all = await loadAuthorities(settings.ca)
  const { ended } = authorityPlan(all, now, settings.ca.lifetime)
  if (ended.length > 0) {
    await keepAuthorities(
      settings.ca,
      all.filter((_, at) => !ended.includes(at)),
    )
    events.push('ca-ended')
  }
  if (await tendServer(settings, now)) events.push('server-certificate')
  return { ...(await present(settings, now)), events }
}

/** A folder that is not mounted must not become a second CA, which no host of the first believes. @throws ConfigError */
async function refuseIfLost({ stateDir, ca }: CaSettings, now: number): Promise<void> {
  const living = (await readIssued(caPaths(stateDir).issued)).filter(({ not_after }) => Date.parse(not_after) > now)
  if (living.length === 0) return
  throw new ConfigError(
    `${ca.cert_file}: it is not there, and ${counted(living.length, 'certificate')} of its CA still ${living.length === 1 ? 'lives' : 'live'}: restore it with its key, or give it up by cis490-receiver ca init --successor`,
  )
}

/** What there is, nothing made. @throws ConfigError */
export async function present({ ca, tls }: CaSettings, now: number): Promise<Omit<Tended, 'events'>> {
  const authorities = await loadAuthorities(ca)
  const { issuer: at } = authorityPlan(authorities, now, ca.lifetime)
  const issuer = at === undefined ? undefined : authorities[at]
  const server = tls && serverFacts(tls, authorities)
  return { authorities, issuer, pin: server?.pin ?? issuer?.pin, server: server?.ours ? server.fingerprint : undefined }
}

/** @returns whether there is a new one */
async function tendServer(settings: CaSettings, now: number): Promise<boolean> {
  const { tls, ca } = settings
  if (!tls) return false
  const { authorities, issuer } = await present(settings, now)
  const names = ca.server_names.map((name) => name.toLowerCase())
  const plan = serverPlan(serverFacts(tls, authorities), names, now)
  if (plan === 'fresh' || plan === 'not-ours' || !issuer?.authority) return false
  if (names.length === 0)
    throw new ConfigError(
      'ca.server_names: name the receiver as hosts call it, like ["receiver.lab"]: its certificate is for that',
    )
  await makeServerCertificate(tls, issuer.authority, names, { now, lifetime: ca.lifetime })
  return true
}
