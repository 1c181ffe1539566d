/** A lab host of the crash tests: recordings, an agent's folders on the counted disk, and a real receiver beside it that is not counted. */
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { pino } from 'pino'
import { type App, makeApp } from '../../../packages/agent/src/app.ts'
import { type AgentContext, openOutbox } from '../../../packages/agent/src/commands/context.ts'
import { AgentConfig } from '../../../packages/agent/src/config.ts'
import { packEpisode } from '../../../packages/agent/src/episodes/pack.ts'
import { walkTree } from '../../../packages/agent/src/episodes/tree.ts'
import { clientHost } from '../receiver/client.ts'
import { commits, prepareState, withReceiver } from '../receiver/place.ts'
import type { Place } from '../scenario.ts'

/** What becomes of a recording when everything works. */
export type Fate = 'delivered' | 'gated' | 'quarantine' | 'refused' | 'dropped'

export interface RecordingPlan {
  readonly id: string
  readonly fate: Fate
  readonly commit?: string
  /** Of its telemetry. */
  readonly bytes?: number
  /** Holds what no archive may carry. */
  readonly strange?: true
}

export interface Recording {
  readonly id: string
  readonly fate: Fate
  /** Of its archive, packed once when nothing was interrupted; none where it cannot be packed. */
  readonly sha256?: string
  /** Hash of each file by its name. */
  readonly files: Readonly<Record<string, string>>
}

export const paths = (place: Place) => ({
  episodes: join(place.disk, 'episodes'),
  outbox: join(place.disk, 'outbox'),
  state: join(place.disk, 'agent'),
})

/** Beside the counted folder: whole after a kill, and as durable as the receiver makes it after a power cut. */
export function receiverPlace(place: Place): Place {
  return { disk: `${place.disk}-receiver`, aside: place.aside }
}

/** Records the episodes, packs each once for its hash, and makes a receiver's state. */
export async function prepareHost(
  place: Place,
  plans: readonly RecordingPlan[],
  fill?: (url: string) => Promise<void>,
): Promise<void> {
  const { episodes } = paths(place)
  const recordings: Recording[] = []
  for (const plan of plans) {
    const files = record(episodes, plan)
    const sha256 = plan.strange ? undefined : await archiveHash(place, plan.id)
    recordings.push({ id: plan.id, fate: plan.fate, files, ...(sha256 !== undefined && { sha256 }) })
  }
  writeFileSync(join(place.aside, 'recordings.json'), JSON.stringify(recordings))
  const receiver: Place = { disk: join(place.aside, 'receiver'), aside: place.aside }
  mkdirSync(receiver.disk)
  await prepareState(receiver)
  await withReceiver(receiver, async (_, { url }) => fill?.(url))
}

export function recordingsOf(place: Place): Recording[] {
  return JSON.parse(readFileSync(join(place.aside, 'recordings.json'), 'utf8')) as Recording[]
}

/** The receiver as it was prepared, on the disk of this point. */
export function placeReceiver(place: Place): void {
  const { disk } = receiverPlace(place)
  rmSync(disk, { recursive: true, force: true })
  cpSync(join(place.aside, 'receiver'), disk, { recursive: true, preserveTimestamps: true })
  execFileSync('sync', ['-f', disk])
}

/** Runs `use` while the receiver listens; makes it first where there is none yet. */
export async function besideReceiver(place: Place, use: (url: string) => Promise<void>): Promise<void> {
  if (!existsSync(receiverPlace(place).disk)) placeReceiver(place)
  await withReceiver(receiverPlace(place), (_, { url }) => use(url))
}

/** @param more tables laid over those of these tests */
export function agentConfig(place: Place, url: string, more: Record<string, object> = {}): AgentConfig {
  const ship = { concurrency: 1, ...more['ship'] }
  return AgentConfig.parse({
    host: { name: clientHost },
    receiver: { url },
    paths: paths(place),
    ship,
    quota: { reserve: 4096, ...more['quota'] },
  })
}

/** As a command that writes does it: opens, uses, closes; but for the lock, whose file is no data. */
export async function withAgent<T>(
  config: AgentConfig,
  use: (context: AgentContext, app: App, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const log = pino({ level: 'silent' })
  for (const path of [config.paths.outbox, config.paths.state]) mkdirSync(path, { recursive: true })
  await using stack = new AsyncDisposableStack()
  const context: AgentContext = { config, ...(await openOutbox(config, log, stack)), log, now: Date.now }
  const nowhere = new PassThrough().resume() as unknown as NodeJS.WriteStream
  const app = stack.use(makeApp(context, nowhere, () => undefined, 'rate'))
  return await use(context, app, AbortSignal.timeout(30_000))
}

/** Without folders in it: copying a place keeps the times of files only. */
function record(episodes: string, { id, commit, bytes = 300, strange }: RecordingPlan): Record<string, string> {
  const folder = join(episodes, id)
  mkdirSync(folder, { recursive: true })
  const meta = { schema_version: 1, episode_id: id, ...(commit && { code_version: { commit } }) }
  const contents = { 'telemetry.bin': randomBytes(bytes), 'notes.txt': Buffer.from(id), 'meta.json': JSON.stringify(meta) }
  const files: Record<string, string> = {}
  for (const [name, content] of Object.entries(contents)) {
    writeFileSync(join(folder, name), content)
    utimesSync(join(folder, name), 1_700_000_000, 1_700_000_000)
    files[name] = createHash('sha256').update(content).digest('hex')
  }
  if (strange) symlinkSync('/etc/hostname', join(folder, 'outside'))
  return files
}

async function archiveHash(place: Place, id: string): Promise<string> {
  const { episodes } = paths(place)
  const partPath = join(place.aside, `${id}.part`)
  const tree = await walkTree(join(episodes, id))
  const { sha256 } = await packEpisode({ episodesDir: episodes, id: EpisodeId.parse(id), tree, partPath })
  rmSync(partPath)
  return sha256
}

export { commits }

/** What a scenario has changed with its own hands is given: a power cut does not take it back. */
export function settle(place: Place): void {
  execFileSync('sync', ['--file-system', place.disk])
}
