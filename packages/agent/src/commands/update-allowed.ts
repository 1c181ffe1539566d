/** `cis490-agent update-allowed`: may this host update now? For the updater, and for a person who wonders why it does not. */
import { formatDuration } from '@cis490/shared/duration.ts'
import { CommitSha, timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { build } from '@cis490/shared/node/build.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { ConfigError } from '@cis490/shared/node/config-file.ts'
import { printable } from '@cis490/shared/printable.ts'
import { UpdateAnswer, updatePath } from '@cis490/shared/rollout.ts'
import type { Command } from 'commander'
import { makeClient } from '../app.ts'
import { type AgentConfig, defaultConfigFile } from '../config.ts'
import { type Answered, allowedFor, isFresh, standing, type Wanted } from '../core/update-allowed.ts'
import { readLastBeat } from '../ship/heartbeat-file.ts'
import { action, type CommandOptions, readConfig } from './context.ts'

interface UpdateOptions extends CommandOptions {
  readonly commit?: string
}

export function registerUpdateAllowed(program: Command): void {
  addCommand(program, 'update-allowed', "is it the turn of this host's wave to update?", defaultConfigFile)
    .option('--commit <sha>', 'the commit to go to: allowed only if it is the one that the receiver has judged')
    .action(action(runUpdateAllowed))
}

/** Exit 0 allowed, 1 held, 3 nobody can tell. */
async function runUpdateAllowed(options: UpdateOptions): Promise<number> {
  const config = readConfig(options)
  const now = Date.now()
  const wanted: Wanted = { wave: config.update.wave, commit: commitOf(options.commit) }
  const last = lastAnswer(config)
  const fresh = isFresh(last, wanted, now)
  const asked = fresh ? undefined : await askReceiver(config, now)
  const detail = asked && 'detail' in asked ? asked.detail : undefined
  const used = fresh ? last : asked && 'answer' in asked ? asked : standing(last, now)
  const told = used ? allowedFor(used.answer, wanted) : { allowed: null, reason: 'unknown', text: detail ?? '' }
  if (options.json)
    printJson({
      ...told,
      wave: wanted.wave,
      commit: used?.answer.commit ?? null,
      answered_at: used ? timestamp(used.at) : null,
      ...(detail !== undefined && { detail }),
    })
  else process.stdout.write(`${printable(line(told, used, now, detail))}\n`)
  if (told.allowed === null) return exit.undetermined
  return told.allowed ? exit.clean : exit.findings
}

function commitOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const commit = CommitSha.safeParse(text)
  if (!commit.success) throw new UserError(`--commit ${printable(text)}: ${commit.error.issues[0]?.message}`, exit.usage)
  return commit.data
}

function lastAnswer({ paths }: AgentConfig): Answered | undefined {
  const beat = readLastBeat(paths.state)
  if (beat?.heard_at === undefined || beat.directives?.update === undefined) return undefined
  return { answer: beat.directives.update, at: Date.parse(beat.heard_at) }
}

const patienceMs = 10_000

async function askReceiver(config: AgentConfig, now: number): Promise<Answered | { readonly detail: string }> {
  try {
    await using client = makeClient(config, { connections: 1, connectTimeout: 5000, idleTimeout: 8000 })
    const path = updatePath(client.host, config.update.wave, build.commit)
    const said = await client.request('GET', path, { signal: AbortSignal.timeout(patienceMs), quick: true })
    if (said.kind === 'fault')
      return { detail: said.code === 'aborted' ? `no answer within ${patienceMs / 1000} s` : said.message }
    const answer = said.status === 200 ? UpdateAnswer.safeParse(parseObject(said.body)).data : undefined
    if (answer) return { answer, at: now }
    if (said.status === 404) return { detail: 'this receiver knows no waves: it is older than this agent' }
    return { detail: said.problem ? `${said.problem.title}: ${said.problem.detail}` : `answered ${said.status}` }
  } catch (error) {
    // Certificates that cannot be read: it is the updater that may bring what mends them.
    if (error instanceof ConfigError) return { detail: error.message }
    throw error
  }
}

interface Told {
  readonly allowed: boolean | null
  readonly reason: string
  readonly text: string
}

function line({ allowed, reason, text }: Told, used: Answered | undefined, now: number, detail: string | undefined): string {
  if (allowed === null) return `unknown: ${text}`
  const said = `${allowed ? 'allowed' : 'held'} (${reason}): ${text}`
  if (!used || detail === undefined) return said
  return `${said}; so it was ${formatDuration(now - used.at)} ago, and now: ${detail}`
}
