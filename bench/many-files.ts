/** Episodes of many files: half of the bytes telemetry that compresses well, half noise that does not. */
import { randomFillSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { telemetryLines } from './big-episode.ts'

/** A finished episode. @returns its folder */
export function makeManyFiles(episodes: string, id: string, files: number, bytes: number): string {
  const folder = join(episodes, id)
  const each = Math.max(1, Math.floor(bytes / files))
  mkdirSync(folder, { recursive: true })
  for (let k = 0; k < files; k++) {
    // No directory of 100,000: recorders make one a channel.
    const dir = join(folder, String(Math.floor(k / 1000)))
    if (k % 1000 === 0) mkdirSync(dir)
    if (k % 2 === 0) writeFileSync(join(dir, `${k}.jsonl`), telemetryLines(k, each))
    else writeFileSync(join(dir, `${k}.bin`), randomFillSync(Buffer.allocUnsafe(each)))
  }
  writeFileSync(join(folder, 'meta.json'), JSON.stringify({ episode_id: id }))
  return folder
}
