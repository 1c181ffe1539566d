/** `cis490-receiver revoke HOST|FINGERPRINT`: throws out a host, or a certificate with what goes back to it. A receiver that runs sees it within a second. */
import { HostName, Sha256, timestamp } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { type IssuedRow, readIssued, stillSpeaks } from '../ca/issued-log.ts'
import { lockSoon } from '../ca/lock.ts'
import { caPaths } from '../ca/paths.ts'
import { appendRevoked, type RevokedRow, revokedRows } from '../ca/revocations.ts'
import { TokenStore } from '../ca/token-store.ts'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { isRevoked, revokedBy, sharedFate } from '../core/revocation.ts'
import { actAsOwner } from './as-owner.ts'
import { revokedText } from './revoked-text.ts'
import { whoAsks } from './who.ts'

interface RevokeOptions extends CommonOptions {
  readonly reason: string
  readonly list?: true
}

export function registerRevoke(program: Command): void {
  addCommand(
    program,
    'revoke [what]',
    'throw out a host, or a certificate by its SHA-256 fingerprint with what was renewed from it',
    defaultConfigFile,
  )
    .option('--reason <text>', 'why; goes into revoked.jsonl', '')
    .option('--list', 'show what was revoked')
    .action(run)
}

type Target = Pick<RevokedRow, 'host' | 'fingerprint'>
type Because = Pick<RevokedRow, 'reason' | 'by'>

async function run(what: string | undefined, options: RevokeOptions): Promise<void> {
  const target = what === undefined ? undefined : parseTarget(what)
  if (!target && !options.list) throw new UserError('say which host or fingerprint, or --list', exit.usage)
  const by = whoAsks()
  const config = loadConfig(options.config, ReceiverConfig)
  await actAsOwner(config.state_dir)
  if (target) await revoke(target, config, { reason: printable(options.reason).trim(), by }, options)
  else await list(config.state_dir, options)
}

/** 64 hexadecimal digits can be no host name: its parts end at 63, and nobody calls a host so. */
function parseTarget(what: string): Target {
  const fingerprint = Sha256.safeParse(what.replaceAll(':', ''))
  if (fingerprint.success) return { fingerprint: fingerprint.data }
  const host = HostName.safeParse(what)
  if (host.success) return { host: host.data }
  throw new UserError(`${what}: a host name, or a SHA-256 fingerprint of 64 hexadecimal digits, is expected`, exit.usage)
}

async function revoke(
  target: Target,
  { state_dir, ca }: ReceiverConfig,
  because: Because,
  options: CommonOptions,
): Promise<void> {
  const paths = caPaths(state_dir)
  await makeDir(paths.folder)
  using lock = await lockSoon(paths.lock)
  if (!lock) throw new UserError('the CA is being worked on; try again in a moment')
  // First of all: a file that cannot be read would not be taken up by the receiver either.
  const before = await revokedRows(paths.revoked)
  const store = new TokenStore(paths.tokens)
  const tokens = await removeTokens(store, target, await readIssued(paths.issued))
  // After the tokens: who joined by one of them a moment ago joined before this, and is in the record that is read now.
  const issued = await readIssued(paths.issued)
  const now = Date.now()
  const at = timestamp(now)
  const row: RevokedRow = { at, ...target, ...because }
  const living = fallsWith(target, issued).filter((one) => stillSpeaks(one, now))
  const along = target.fingerprint === undefined ? [] : living.filter(({ fingerprint }) => fingerprint !== target.fingerprint)
  const rows = along.map(({ fingerprint }): RevokedRow => ({ at, fingerprint, along_with: target.fingerprint, ...because }))
  await appendRevoked(paths.revoked, row, ...rows)
  const shown = ({ fingerprint, host, not_after }: IssuedRow) => ({ fingerprint, host, not_after })
  const left = leftOf(issued, living, now, [...before, row, ...rows])
  // A slip of the pen must not pass for a host that is out; where another CA signs, nobody here knows.
  const onRecord = ca === undefined || tokens.length > 0 || fallsWith(target, issued).length > 0
  const outcome = { revoked: row, on_record: onRecord, certificates: living.map(shown), tokens, left: left.map(shown) }
  if (options.json) printJson(outcome)
  else process.stdout.write(revokedText(outcome, ca !== undefined))
  process.exitCode = onRecord ? exit.clean : exit.findings
}

function fallsWith({ host, fingerprint }: Target, issued: readonly IssuedRow[]): IssuedRow[] {
  return fingerprint === undefined ? issued.filter((row) => row.host === host) : sharedFate(issued, fingerprint)
}

/** What the same hosts have beside that still counts. */
function leftOf(issued: IssuedRow[], gone: readonly IssuedRow[], now: number, out: readonly RevokedRow[]): IssuedRow[] {
  const hosts = new Set(gone.map(({ host }) => host))
  const revoked = revokedBy(out.map((row) => ({ ...row, at: Date.parse(row.at) })))
  const replaced = new Map(issued.map((row) => [row.fingerprint as string, row.replaces as string | undefined]))
  const counts = ({ host, fingerprint, joined_at }: IssuedRow) =>
    !isRevoked(revoked, { host, fingerprint, joinedAt: Date.parse(joined_at) }, (one) => replaced.get(one))
  return issued.filter((row) => hosts.has(row.host) && stillSpeaks(row, now) && counts(row))
}

/** Those that were used as well: their key might ask again. @returns the ids of those by which somebody could still have come in */
async function removeTokens(store: TokenStore, target: Target, issued: readonly IssuedRow[]): Promise<string[]> {
  const all = await store.list(Date.now())
  const used = new Set(target.host === undefined ? fallsWith(target, issued).map(({ token }) => token) : [])
  const mine = all.filter(({ id, host }) => host === target.host || used.has(id))
  for (const { id } of mine) await store.remove(id)
  return mine.filter(({ state }) => state === 'open' || (state === 'used' && used.size > 0)).map(({ id }) => id)
}

async function list(stateDir: string, options: CommonOptions): Promise<void> {
  const revoked = await revokedRows(caPaths(stateDir).revoked)
  if (options.json) return printJson({ revoked })
  for (const { at, host, fingerprint, along_with, reason, by } of revoked) {
    const along = along_with === undefined ? '' : `  along with ${along_with}`
    process.stdout.write(`${at}  ${host ?? fingerprint}${along}  by ${by}${reason === '' ? '' : `: ${reason}`}\n`)
  }
  if (revoked.length === 0) process.stdout.write('nothing was revoked\n')
}
