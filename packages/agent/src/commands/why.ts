/** `cis490-agent why ID`: everything that was decided about one episode, on this host and at the receiver, and what happens next. */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { inOrder } from '@cis490/shared/explain.ts'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { nearest } from '@cis490/shared/nearest.ts'
import { addCommand, exit, printJson, UserError } from '@cis490/shared/node/cli.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Command } from 'commander'
import { type AgentConfig, defaultConfigFile } from '../config.ts'
import { type FolderFacts, hostEvents } from '../core/why-events.ts'
import { type HostState, hostState, nextStep } from '../core/why-next.ts'
import { listFolders, lookAt } from '../episodes/scan.ts'
import { readEntries } from '../outbox/read.ts'
import { knownIds, traceEpisode } from '../outbox/trace.ts'
import { askReceiver, type ReceiverSays } from './ask-receiver.ts'
import { action, type CommandOptions, readConfig } from './context.ts'
import { heldBack } from './make-manners.ts'
import { summarize } from './summary.ts'
import { describe, describeUnknown, type SidedEvent, type Why } from './why-text.ts'

export function registerWhy(program: Command): void {
  addCommand(program, 'why <id>', 'everything that was decided about one episode, and what happens next', defaultConfigFile)
    .option('--local', 'do not ask the receiver')
    .action(action(runWhy))
}

async function runWhy(text: string, options: CommandOptions & { readonly local?: true }): Promise<number> {
  const config = readConfig(options)
  const id = EpisodeId.safeParse(text)
  if (!id.success) throw new UserError(`"${printable(text)}" is no episode id: ${id.error.issues[0]?.message}`, exit.usage)
  const why = await explainHere(config, id.data, options.local === true)
  const unknown = why.state === 'unknown' && (why.receiver?.state ?? 'unknown') === 'unknown'
  if (options.json) printJson(why)
  else process.stdout.write(unknown ? describeUnknown(why, config) : describe(why))
  if (why.receiver && !why.receiver.reached) return exit.undetermined
  return unknown ? exit.findings : exit.clean
}

async function explainHere(config: AgentConfig, id: EpisodeId, local: boolean): Promise<Why> {
  const now = Date.now()
  const { historySince, ...files } = await traceEpisode(config.paths, id)
  const trace = { ...files, folder: await lookAtFolder(config, id, now) }
  const state = hostState(trace)
  const commit = trace.entry?.commit ?? (state === 'finished' ? trace.folder?.commit : undefined)
  const says = local ? undefined : await askReceiver(config, id, commit)
  const held = await whatHolds(config, state, now)
  const verdict = says?.gate?.verdict
  const notes = [
    ...(historySince === undefined ? [] : [`changes before ${historySince} may have been forgotten by this host`]),
    ...(state === 'delivered' && trace.folder ? ['its folder is still here, as a second copy or because it could not go'] : []),
    ...(says?.explanation?.notes ?? []).map((note) => `receiver: ${note}`),
  ]
  const events = inOrder([
    ...hostEvents(trace).map((event) => ({ ...event, side: 'host' as const })),
    ...(says?.explanation?.events ?? []).map((event) => ({ ...event, side: 'receiver' as const })),
    ...gateEvent(says, now),
  ])
  const next = nextStep({ id, state, trace, held, now, gate: verdict, receiver: says?.explanation })
  const guess = state === 'unknown' ? { did_you_mean: nearest(id, await allIds(config)) } : {}
  return { id, state, events, notes, receiver: told(says), next, ...guess }
}

/** What keeps a waiting episode from being packed or sent at this moment, for a person. */
async function whatHolds(config: AgentConfig, state: HostState, now: number): Promise<string | undefined> {
  if (state !== 'finished' && state !== 'ready') return undefined
  const { room, recording } = await summarize(config, now)
  if (state === 'finished' && room.stopped) return `packing is stopped (${room.stopped.reason})`
  const manner = heldBack(config, now, recording > 0)
  // Windows and directives are for the network; packing goes on.
  const forNetwork = manner?.reason === 'outside-window' || manner?.reason === 'directive'
  return state === 'finished' && forNetwork ? undefined : manner?.text
}

async function lookAtFolder({ paths }: AgentConfig, id: EpisodeId, now: number): Promise<FolderFacts | undefined> {
  const folder = join(paths.episodes, id)
  if (!(await isThere(folder))) return undefined
  const { verdict } = await lookAt(paths.episodes, id, now)
  const meta = await lstat(join(folder, 'meta.json')).catch(() => undefined)
  const { started_at, ended_at, code_version } = verdict.state === 'finished' ? verdict.meta : {}
  return { verdict, started_at, ended_at, commit: code_version?.commit, ...(meta && { meta_at: timestamp(meta.mtimeMs) }) }
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

/** As of now: what the gate would say if it were sent this moment. */
function gateEvent(says: ReceiverSays | undefined, now: number): SidedEvent[] {
  const { verdict, code, position, window } = says?.gate ?? {}
  if (verdict === undefined) return []
  const text = {
    accept: `the gate would let its commit in${position === undefined ? '' : `: position ${position} of ${window}`}`,
    refuse: `the gate would refuse its commit: ${code ?? 'no reason'}`,
    unavailable: 'the gate has no commit set and cannot tell',
  }[verdict]
  return [{ at: timestamp(now), side: 'receiver', what: 'gate', text, verdict, ...(code !== undefined && { code }) }]
}

function told(says: ReceiverSays | undefined): Why['receiver'] {
  if (!says) return null
  const { reached, detail, explanation } = says
  return { reached, ...(explanation && { state: explanation.state }), ...(detail !== undefined && { detail }) }
}

async function allIds({ paths }: AgentConfig): Promise<Set<string>> {
  const [folders, entries, known] = [
    await listFolders(paths.episodes),
    await readEntries(paths.outbox),
    await knownIds(paths.state),
  ]
  return new Set([...folders.ids, ...entries.map(({ id }) => id), ...known])
}
