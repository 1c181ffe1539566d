/** `cis490-receiver revoke HOST|FINGERPRINT`: throws out a host, or one certificate. A receiver that runs sees it within a second. */
import { HostName, Sha256, timestamp } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { readIssued } from '../ca/issued-log.ts'
import { caPaths } from '../ca/paths.ts'
import { appendRevoked, type RevokedRow, revokedRows } from '../ca/revocations.ts'
import { TokenStore } from '../ca/token-store.ts'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { actAsOwner } from './as-owner.ts'
import { whoAsks } from './who.ts'

interface RevokeOptions extends CommonOptions {
  readonly reason: string
  readonly list?: true
}

export function registerRevoke(program: Command): void {
  addCommand(program, 'revoke [what]', 'throw out a host, or one certificate by its SHA-256 fingerprint', defaultConfigFile)
    .option('--reason <text>', 'why; goes into revoked.jsonl', '')
    .option('--list', 'show what was revoked')
    .action(run)
}

type Target = Pick<RevokedRow, 'host' | 'fingerprint'>

async function run(what: string | undefined, options: RevokeOptions): Promise<void> {
  const target = what === undefined ? undefined : parseTarget(what)
  if (!target && !options.list) throw new UserError('say which host or fingerprint, or --list', exit.usage)
  const by = whoAsks()
  const { state_dir } = loadConfig(options.config, ReceiverConfig)
  await actAsOwner(state_dir)
  if (target) await revoke(target, state_dir, printable(options.reason).trim(), by, options)
  else await list(state_dir, options)
}

/** 64 hexadecimal digits can be no host name: its parts end at 63, and nobody calls a host so. */
function parseTarget(what: string): Target {
  const fingerprint = Sha256.safeParse(what.replaceAll(':', ''))
  if (fingerprint.success) return { fingerprint: fingerprint.data }
  const host = HostName.safeParse(what)
  if (host.success) return { host: host.data }
  throw new UserError(`${what}: a host name, or a SHA-256 fingerprint of 64 hexadecimal digits, is expected`, exit.usage)
}

async function revoke(target: Target, stateDir: string, reason: string, by: string, options: CommonOptions): Promise<void> {
  const paths = caPaths(stateDir)
  await makeDir(paths.folder)
  using lock = takeLock(paths.lock)
  if (!lock) throw new UserError('the CA is being worked on; try again in a moment')
  const tokens = target.host === undefined ? [] : await removeTokens(new TokenStore(paths.tokens), target.host)
  // After the tokens: who joined by one of them a moment ago joined before this.
  const row: RevokedRow = { at: timestamp(Date.now()), ...target, reason, by }
  await appendRevoked(paths.revoked, row)
  const issued = (await readIssued(paths.issued)).filter(
    ({ host, fingerprint, not_after }) => (host === target.host || fingerprint === target.fingerprint) && not_after > row.at,
  )
  const certificates = issued.map(({ fingerprint, host, not_after }) => ({ fingerprint, host, not_after }))
  if (options.json) return printJson({ revoked: row, certificates, tokens })
  process.stdout.write(
    `revoked: ${target.host ?? target.fingerprint} (${certificates.length} of our certificates, ${tokens.length} tokens); ` +
      `requests are refused from now on\n`,
  )
  if (target.host !== undefined) process.stdout.write(`to let it in again: cis490-receiver token create --host ${target.host}\n`)
}

/** Those that were used as well: their key might ask again. @returns the ids of those that were open */
async function removeTokens(store: TokenStore, host: string): Promise<string[]> {
  const mine = (await store.list(Date.now())).filter((token) => token.host === host)
  for (const { id } of mine) await store.remove(id)
  return mine.filter(({ state }) => state === 'open').map(({ id }) => id)
}

async function list(stateDir: string, options: CommonOptions): Promise<void> {
  const revoked = await revokedRows(caPaths(stateDir).revoked)
  if (options.json) return printJson({ revoked })
  for (const { at, host, fingerprint, reason, by } of revoked)
    process.stdout.write(`${at}  ${host ?? fingerprint}  by ${by}${reason === '' ? '' : `: ${reason}`}\n`)
  if (revoked.length === 0) process.stdout.write('nothing was revoked\n')
}
