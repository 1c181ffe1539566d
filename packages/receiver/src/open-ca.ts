/** The receiver's own CA wired up, where [ca] is configured, and the list of what was revoked, which every receiver has. */
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import type { Ca } from './ca/ca.ts'
import { readIssued } from './ca/issued-log.ts'
import { caPaths } from './ca/paths.ts'
import { makeRevokedFile, readRevoked, revokedRows } from './ca/revocations.ts'
import type { CaSettings } from './ca/tend.ts'
import type { ReceiverConfig } from './config.ts'
import { revokedBy } from './core/revocation.ts'
import type { PeerOptions } from './http/peer.ts'
import { WatchedFile } from './http/watched-file.ts'
import { logCaEvents, tendRegularly } from './jobs/tend-ca.ts'
import { makeStateDir } from './open-store.ts'

export interface OwnCa {
  /** What the check of peers asks, for each request. */
  readonly checks: Pick<PeerOptions, 'revoked' | 'ownCa'>
  /** undefined: there is none, or not yet. */
  ca(): Ca | undefined
  /** Begins to sign and to look after itself. @param taken something new has to be taken up by listener and peers */
  open(taken: () => void): Promise<AsyncDisposable>
}

/** undefined: the fleet has a CA of its own. */
export function caSettings({ ca, tls, state_dir }: ReceiverConfig): CaSettings | undefined {
  return ca && { stateDir: state_dir, ca, tls }
}

/** Makes what is missing or due before anything reads it. @param signs whether this process is the one that serves hosts @throws ConfigError */
export async function prepareCa(config: ReceiverConfig, signs: boolean, log: Logger): Promise<OwnCa> {
  const settings = signs ? caSettings(config) : undefined
  await makeStateDir(config.state_dir)
  if (settings) await tendFirst(settings, log)
  const revoked = await watchRevoked(config.state_dir, log)
  let ca: Ca | undefined
  return {
    checks: { revoked, ownCa: settings && { joinedAt: (one) => ca?.joinedAt(one), replaced: (one) => ca?.replaced(one) } },
    ca: () => ca,
    open: async (taken) => {
      if (!settings) return new AsyncDisposableStack()
      const { Ca } = await import('./ca/ca.ts')
      await using stack = new AsyncDisposableStack()
      ca = stack.use(await Ca.open(settings, Date.now()))
      stack.use(tendRegularly(ca, { lifetime: settings.ca.lifetime, log, taken }))
      return stack.move()
    },
  }
}

/** The libraries of the CA are loaded only where there is one. */
async function tendFirst(settings: CaSettings, log: Logger): Promise<void> {
  const { tendCa } = await import('./ca/tend.ts')
  const { events, issuer } = await tendCa(settings, Date.now())
  logCaEvents(events, log)
  if (issuer) return
  const remedy = 'restore it from the backup, or: cis490-receiver ca init --successor'
  log.error({ event: 'ca-key-lost', key_file: settings.ca.key_file, remedy }, 'the CA has no key: hosts cannot join or renew')
}

/** The same for a command that judges a certificate once. @throws ConfigError */
export async function certificateRecords({ ca, state_dir }: ReceiverConfig): Promise<OwnCa['checks']> {
  const paths = caPaths(state_dir)
  const revoked = revokedBy((await revokedRows(paths.revoked)).map((row) => ({ ...row, at: Date.parse(row.at) })))
  const issued = new Map((await readIssued(paths.issued)).map((row) => [row.fingerprint as string, row]))
  const joinedAt = (fingerprint: string) => {
    const row = issued.get(fingerprint)
    return row && Date.parse(row.joined_at)
  }
  return { revoked: () => revoked, ownCa: ca && { joinedAt, replaced: (fingerprint) => issued.get(fingerprint)?.replaces } }
}

/** @throws ConfigError for a list that cannot be read */
async function watchRevoked(stateDir: string, log: Logger): Promise<NonNullable<PeerOptions['revoked']>> {
  const { revoked } = caPaths(stateDir)
  await makeRevokedFile(revoked).catch((error: unknown) => {
    throw new ConfigError(`cannot open ${revoked}: ${messageOf(error)}`)
  })
  const file = new WatchedFile(revoked, (text) => readRevoked(text, revoked), log)
  return (now) => file.get(now)
}
