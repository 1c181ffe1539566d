/** `cis490-receiver token create|list|revoke`: what lets one host join, once. */
import { parseDuration } from '@cis490/shared/duration.ts'
import { HostName, timestamp } from '@cis490/shared/ids.ts'
import { addCommand, type CommonOptions, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { ConfigError, loadConfig } from '@cis490/shared/node/config-file.ts'
import type { Command } from 'commander'
import { caPaths } from '../ca/paths.ts'
import { type CaSettings, present } from '../ca/tend.ts'
import { TokenStore } from '../ca/token-store.ts'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'
import { writeToken } from '../core/join-token.ts'
import { caSettings } from '../open-ca.ts'
import { actAsOwner } from './as-owner.ts'
import { whoAsks } from './who.ts'

interface CreateOptions extends CommonOptions {
  readonly host: string
  readonly expires: string
}

const longestMs = 3650 * 86_400_000

export function registerToken(program: Command): void {
  const tokens = program.command('token').description('tokens that let one host join, once')
  addCommand(tokens, 'create', 'make one and print it, this once', defaultConfigFile)
    .requiredOption('--host <name>', 'the host that may join with it')
    .option('--expires <duration>', 'how long it holds', '24h')
    .action(create)
  addCommand(tokens, 'list', 'the tokens that are there, without their secrets', defaultConfigFile).action(list)
  addCommand(tokens, 'revoke <id>', 'take a token away; the id is its first 8 digits', defaultConfigFile).action(revoke)
}

/** @throws ConfigError where there is no [ca] */
export function requireCa(path: string): CaSettings {
  const settings = caSettings(loadConfig(path, ReceiverConfig))
  if (settings) return settings
  throw new ConfigError(`${path}: [ca] is not set: this receiver issues no certificates; your own CA does`)
}

async function create(options: CreateOptions): Promise<void> {
  const host = HostName.safeParse(options.host)
  if (!host.success) throw new UserError(`--host ${options.host}: ${host.error.issues[0]?.message}`, exit.usage)
  const ms = parseDuration(options.expires)
  if (ms === undefined || ms <= 0)
    throw new UserError(`--expires ${options.expires}: write a duration, like 24h or 7d`, exit.usage)
  if (ms > longestMs) throw new UserError(`--expires ${options.expires}: at most 3650d, for no CA lives longer`, exit.usage)
  const by = whoAsks()
  const settings = requireCa(options.config)
  await actAsOwner(settings.stateDir)
  const now = Date.now()
  const { pin } = await present(settings, now)
  if (pin === undefined) throw new UserError(`${settings.ca.cert_file}: there is no CA yet: cis490-receiver ca init`)
  const token = await new TokenStore(caPaths(settings.stateDir).tokens).create(host.data, pin, { now, ms }, by)
  const expires = timestamp(now + ms)
  const text = writeToken(token)
  if (options.json) printJson({ token: text, id: token.id, host: host.data, expires_at: expires, pin })
  else {
    process.stdout.write(`${text}\n`)
    process.stderr.write(`lets ${host.data} join once until ${expires}; on it: sudo cis490-agent fetch-cert --token TOKEN\n`)
  }
}

async function list(options: CommonOptions): Promise<void> {
  const { stateDir } = requireCa(options.config)
  await actAsOwner(stateDir)
  const tokens = await new TokenStore(caPaths(stateDir).tokens).list(Date.now())
  if (options.json) return printJson({ tokens })
  for (const { id, host, state, expires_at, by } of tokens)
    process.stdout.write(`${id}  ${state.padEnd(7)}  ${expires_at}  ${host}  by ${by}\n`)
  if (tokens.length === 0) process.stdout.write('there are no tokens\n')
}

async function revoke(id: string, options: CommonOptions): Promise<void> {
  // Whoever pastes the whole token means its first part.
  const short = id.split('.')[0] ?? ''
  if (!/^[0-9a-f]{8}$/.test(short)) throw new UserError('the id of a token is its first 8 hexadecimal digits', exit.usage)
  const { stateDir } = requireCa(options.config)
  await actAsOwner(stateDir)
  const removed = await new TokenStore(caPaths(stateDir).tokens).remove(short)
  if (options.json) printJson({ id: short, removed })
  else process.stdout.write(removed ? `token ${short} is taken away\n` : `there is no token ${short}\n`)
  process.exitCode = removed ? exit.clean : exit.findings
}
