/** What every command starts with: the configuration, a log on stderr, and for writers the agent's lock and outbox. */
import { join } from 'node:path'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { type Logger, makeLogger } from '@cis490/shared/node/log.ts'
import { type ProcessLock, takeLock } from '@cis490/shared/node/process-lock.ts'
import { AgentConfig } from '../config.ts'
import { Outbox } from '../outbox/outbox.ts'
import { Reserve } from '../outbox/reserve.ts'
import { readyFolders } from './folders.ts'

export interface CommandOptions {
  readonly config: string
  readonly json?: true
}

/** A commander action whose function returns the exit code. */
export function action<A extends unknown[]>(run: (...args: A) => Promise<number>): (...args: A) => Promise<void> {
  return async (...args) => {
    process.exitCode = await run(...args)
  }
}

export function readConfig(options: CommandOptions): AgentConfig {
  return loadConfig(options.config, AgentConfig)
}

/** Another process holds the agent's lock: the daemon, mostly. */
export class AgentAtWork extends UserError {}

/** How the daemon is stopped for a command that needs its lock, for a person. */
export const stopAgent = 'sudo systemctl stop cis490-orchestrator, or Ctrl-C where it runs by hand'

export function lockPath({ paths }: AgentConfig): string {
  return join(paths.state, 'agent.lock')
}

/** @throws AgentAtWork (exit 3) */
export async function takeAgentLock(config: AgentConfig, taker: 'daemon' | 'command' = 'command'): Promise<ProcessLock> {
  const path = lockPath(config)
  await readyFolders(config, 'state', 'outbox')
  const lock = takeLock(path)
  if (lock) return lock
  throw new AgentAtWork(
    taker === 'daemon'
      ? `another cis490-agent run works here, or a command that writes: it holds ${path}`
      : `cis490-agent run is at work (it ships by itself) or another command, and holds ${path}; stop it first (${stopAgent}), and start it again afterwards`,
    exit.undetermined,
  )
}

export interface AgentContext {
  readonly config: AgentConfig
  readonly outbox: Outbox
  readonly log: Logger
  readonly now: () => number
  /** Room for bookkeeping on a full disk; kept up by each scan. */
  readonly reserve?: Reserve
}

/** The outbox with its reserve. The caller holds the agent's lock. */
export async function openOutbox(
  config: AgentConfig,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<{ outbox: Outbox; reserve: Reserve }> {
  const dirs = { outboxDir: config.paths.outbox, stateDir: config.paths.state }
  const reserve = stack.use(new Reserve({ ...dirs, bytes: config.quota.reserve, log }))
  const outbox = stack.use(await Outbox.open({ ...dirs, log, now: Date.now, giveRoom: (dir) => reserve.give(dir) }))
  return { outbox, reserve }
}

/** For one-shot commands that write: takes the lock, opens the outbox, and gives both back afterwards. */
export async function withOutbox<T>(options: CommandOptions, use: (context: AgentContext) => Promise<T>): Promise<T> {
  const config = readConfig(options)
  using _lock = await takeAgentLock(config)
  const log = makeLogger(process.stderr)
  await using stack = new AsyncDisposableStack()
  return await use({ config, ...(await openOutbox(config, log, stack)), log, now: Date.now })
}
