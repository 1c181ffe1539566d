/** At start: every upload goes on from the offset that was told, or is gone; nothing in between. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDir, removeFile, syncDir } from '@cis490/shared/node/durable.ts'
import { parseUploadState, type UploadState } from './upload-state.ts'

export interface RecoveredUploads {
  /** Parts that had more than their synced offset. */
  uploads_cut: number
  /** What was no upload any more: bytes without a state, a state that cannot be read or has fewer bytes than it says. */
  uploads_broken: number
  uploads_expired: number
}

export interface UploadsFound extends RecoveredUploads {
  readonly states: Map<string, UploadState>
  /** Have no bytes any more: their answers are read when somebody asks for them. */
  readonly ended: string[]
  readonly expired: string[]
}

/** @param now epoch milliseconds */
export async function recoverUploads(folder: string, now: number): Promise<UploadsFound> {
  await makeDir(folder)
  const states = new Map<string, UploadState>()
  const ended: string[] = []
  const expired: string[] = []
  const done = { uploads_cut: 0, uploads_broken: 0, uploads_expired: 0 }
  // Read in place, as the shelves are: nobody else waits at a start.
  const names = new Set(readdirSync(folder))
  for (const file of names) {
    const name = file.slice(0, -'.json'.length)
    if (file !== `${name}.json`) continue
    if (!names.has(`${name}.part`)) {
      ended.push(name)
      continue
    }
    const part = join(folder, `${name}.part`)
    const state = parseUploadState(readFileSync(join(folder, file), 'utf8'))
    const whole = state && (state.finished !== undefined || hasBytes(part, state.offset))
    if (state && Date.parse(state.expires_at) <= now) {
      expired.push(name)
      done.uploads_expired += 1
    } else if (!whole) done.uploads_broken += 1
    else {
      states.set(name, state)
      if (state.finished === undefined && (await cut(part, state))) done.uploads_cut += 1
    }
  }
  const kept = (file: string) => {
    const name = file.replace(/\.(?:part|json)$/, '')
    if (name !== file && !names.has(`${name}.part`)) return true
    const state = states.get(name)
    return state !== undefined && name !== file && (file.endsWith('.json') || state.finished === undefined)
  }
  const strangers = [...names].filter((file) => !kept(file))
  for (const file of strangers) {
    await removeFile(join(folder, file))
    const withState = names.has(file.replace(/\.part$/, '.json'))
    if (file.endsWith('.part') && !withState) done.uploads_broken += 1
  }
  if (strangers.length > 0) await syncDir(folder)
  return { states, ended, expired, ...done }
}

function hasBytes(part: string, offset: number): boolean {
  return (statSync(part, { throwIfNoEntry: false })?.size ?? -1) >= offset
}

/** A part with a second name is an episode already: it is as long as it has to be, and nobody writes to it. */
async function cut(part: string, { offset }: UploadState): Promise<boolean> {
  const { size, nlink } = statSync(part)
  if (size === offset || nlink > 1) return false
  await truncate(part, offset)
  return true
}
