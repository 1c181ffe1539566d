/** `cis490-agent fetch-cert`: this host's certificate, the first by a join token, the next ones by the one before. */
import { join as joinPath } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { ConfigError, readSecret } from '@cis490/shared/node/config-file.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { readPair } from '@cis490/shared/node/key-pair.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { type AgentConfig, defaultConfigFile } from '../config.ts'
import { type JoinToken, parseJoinToken } from '../core/join-token.ts'
import { dueAt } from '../core/renewal-plan.ts'
import { action, type CommandOptions, readConfig } from './context.ts'
import { noAuthority } from './enroll.ts'
import { becomeOwner, readyFolders } from './folders.ts'
import { join, nameOf } from './join.ts'
import { factsOf, type Renewal, renewIfDue } from './renew.ts'

interface FetchOptions extends CommandOptions {
  readonly token?: string
  readonly tokenFile?: string
  readonly now?: true
}

export function registerFetchCert(program: Command): void {
  addCommand(program, 'fetch-cert', 'get or renew the certificate of this host from the receiver', defaultConfigFile)
    .option('--token <token>', 'join with it: the first certificate, or one after the last has expired long ago')
    .option('--token-file <file>', 'the same, from a file')
    .option('--now', 'renew at once, due or not')
    .action(action(runFetchCert))
}

async function runFetchCert(options: FetchOptions): Promise<number> {
  const config = readConfig(options)
  const token = tokenOf(options)
  const { ca_file, cert_file, key_file } = config.receiver
  if (!cert_file || !key_file)
    throw new ConfigError('receiver.cert_file and receiver.key_file: set both to where the certificate of this host shall be')
  // The system's CAs do not vouch for a receiver with a CA of its own.
  if (token && !ca_file) throw new ConfigError("receiver.ca_file: set it to where the receiver's CA certificate shall be")
  await becomeOwner(config.paths.state)
  await readyFolders(config, 'state')
  if (token) return await runJoin(config, token, options)
  const eager = options.now ? 'now' : 'when-due'
  return tellRenewal(config, await renewIfDue({ config, now: Date.now, random: Math.random }, eager), options)
}

/** @throws UserError: the token itself is shown nowhere */
function tokenOf({ token, tokenFile, now }: FetchOptions): JoinToken | undefined {
  if (token === undefined && tokenFile === undefined) return undefined
  if (token !== undefined && tokenFile !== undefined)
    throw new UserError('--token and --token-file: give one of them', exit.usage)
  if (now) throw new UserError('--now goes with a renewal, not with a token', exit.usage)
  const parsed = parseJoinToken(token ?? readSecret(tokenFile ?? '', '--token-file'))
  if (typeof parsed === 'string') throw new UserError(`the join token cannot be used: ${parsed}`, exit.usage)
  return parsed
}

async function runJoin(config: AgentConfig, token: JoinToken, { json }: FetchOptions): Promise<number> {
  using lock = takeLock(joinPath(config.paths.state, 'certificate.lock'))
  if (!lock) throw busy()
  const certificate = await join(config, token, Date.now)
  const facts = factsOf(certificate, config)
  const told = { outcome: 'joined', host: nameOf(config), not_after: timestamp(facts.to), renew_at: timestamp(dueAt(facts)) }
  if (json) printJson(told)
  else process.stdout.write(`${told.host} has its certificate, good until ${told.not_after}\n`)
  return exit.clean
}

function busy(): UserError {
  return new UserError('another process fetches a certificate now: nothing to do', exit.undetermined)
}

function tellRenewal(config: AgentConfig, renewal: Renewal, { json }: FetchOptions): number {
  const host = nameOf(config)
  if (renewal.did === 'nothing') throw nothingDone(renewal.reason, config)
  if (renewal.did === 'failed') {
    const { code, message } = renewal.failure
    // The certificate of a fleet with a CA of its own is not our affair, due or not.
    if (code !== noAuthority) throw new UserError(`the certificate was not renewed: ${printable(message)}`)
    if (json) printJson({ outcome: code, host, message })
    else process.stdout.write(`${message}\n`)
    return exit.clean
  }
  const told =
    renewal.did === 'renewed'
      ? { outcome: 'renewed', host, not_after: renewal.notAfter, renew_at: timestamp(renewal.due) }
      : { outcome: renewal.reason, host, not_after: renewal.notAfter, renew_at: timestamp(renewal.until) }
  if (json) printJson(told)
  else if (renewal.did === 'renewed')
    process.stdout.write(`renewed: ${host} has a certificate until ${told.not_after}; a running daemon takes it up by itself\n`)
  else process.stdout.write(`not due before ${told.renew_at}; good until ${told.not_after}\n`)
  return exit.clean
}

function nothingDone(reason: 'expired-too-long' | 'no-certificate' | 'busy', config: AgentConfig): UserError {
  if (reason === 'busy') return busy()
  const make = `cis490-receiver token create --host ${nameOf(config)}`
  const state = reason === 'expired-too-long' ? 'expired more than 30 days ago' : whyUnread(config)
  return new UserError(
    `the certificate ${config.receiver.cert_file} ${state}: on the receiver run: ${make}; then here: sudo cis490-agent fetch-cert --token TOKEN`,
  )
}

function whyUnread({ receiver }: AgentConfig): string {
  try {
    readPair(receiver)
    return 'is no certificate'
  } catch (error) {
    return isErrno(error, 'ENOENT') ? 'is not there yet' : `cannot be read (${messageOf(error).split(',')[0]})`
  }
}
