/** Records one episode: a folder of JSON lines, and meta.json last, because its presence says that the rest is complete. */
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { replaceFile, writeAll } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { readSource, type Source, sources } from './sources.ts'

export interface Recording {
  readonly episodes: string
  readonly host: string
  readonly commit: string
  readonly dirty: boolean
  readonly lengthMs: number
  readonly intervalMs: number
}

interface Tape {
  readonly source: Source
  readonly file: FileHandle
}

/** Ends early, and whole, when `stop` is raised. @returns the id of the finished episode */
export async function recordEpisode(recording: Recording, stop: AbortSignal): Promise<EpisodeId> {
  const startedAt = Date.now()
  const { id, folder } = await makeFolder(recording, startedAt)
  const { tapes, missing } = await openTapes(folder)
  let samples = 0
  try {
    for (let due = startedAt; due < startedAt + recording.lengthMs && !stop.aborted; due += recording.intervalMs) {
      await sleep(Math.max(0, due - Date.now()), undefined, { signal: stop }).catch(() => undefined)
      await sample(tapes)
      samples++
    }
    await Promise.all(tapes.map(({ file }) => file.sync()))
  } finally {
    await Promise.all(tapes.map(({ file }) => file.close()))
  }
  const meta = {
    schema_version: '1',
    episode_id: id,
    host: recording.host,
    started_at: timestamp(startedAt),
    ended_at: timestamp(Date.now()),
    code_version: { commit: recording.commit, dirty: recording.dirty },
    interval_ms: recording.intervalMs,
    samples,
    ended_early: stop.aborted,
    sources: tapes.map(({ source }) => source.path),
    missing_sources: missing.map(({ path }) => path),
  }
  await replaceFile(join(folder, 'meta.json'), `${JSON.stringify(meta, null, 2)}\n`)
  return id
}

/** The id sorts by time and names its host; the number tells apart what starts in one second. */
async function makeFolder(recording: Recording, startedAt: number): Promise<{ id: EpisodeId; folder: string }> {
  const second = `${timestamp(startedAt).slice(0, 19).replaceAll(':', '-')}Z`
  for (let number = 1; ; number++) {
    const id = EpisodeId.parse(`${second}-${recording.host.slice(0, 80)}-${String(number).padStart(3, '0')}`)
    const folder = join(recording.episodes, id)
    try {
      await mkdir(folder, { mode: 0o750 })
      return { id, folder }
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error
    }
  }
}

async function openTapes(folder: string): Promise<{ tapes: Tape[]; missing: Source[] }> {
  const tapes: Tape[] = []
  const missing: Source[] = []
  for (const source of sources) {
    if ((await readSource(source)) === undefined) missing.push(source)
    else tapes.push({ source, file: await open(join(folder, `${source.name}.jsonl`), 'wx', 0o640) })
  }
  return { tapes, missing }
}

async function sample(tapes: readonly Tape[]): Promise<void> {
  const at = timestamp(Date.now())
  for (const { source, file } of tapes) {
    const text = await readSource(source)
    if (text !== undefined) await writeAll(file, Buffer.from(`${JSON.stringify({ at, text })}\n`))
  }
}
