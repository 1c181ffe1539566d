/** An episode of a given size: half of it telemetry that compresses well, half noise that does not. */
import { randomFillSync } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { replaceFile, writeAll } from '@cis490/shared/node/durable.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'

const chunkBytes = 1 << 20

/** @returns the id */
export async function makeBigEpisode(episodes: string, bytes: number, host: string, commit: string): Promise<string> {
  const id = `bench-${host}-${bytes}`
  const folder = join(episodes, id)
  await mkdir(folder)
  const bar = makeProgress({ label: 'making the episode', total: bytes, stream: process.stderr })
  const half = Math.floor(bytes / 2)
  await fill(join(folder, 'telemetry.jsonl'), half, telemetry, (done) => bar.update(done))
  await fill(join(folder, 'noise.bin'), bytes - half, noise, (done) => bar.update(half + done))
  bar.done()
  const meta = {
    schema_version: '1',
    episode_id: id,
    host,
    started_at: timestamp(Date.now()),
    code_version: { commit, dirty: false },
  }
  await replaceFile(join(folder, 'meta.json'), JSON.stringify(meta))
  return id
}

async function fill(path: string, bytes: number, next: (chunk: number) => Buffer, tell: (done: number) => void): Promise<void> {
  await using file = await open(path, 'wx')
  for (let done = 0; done < bytes; done += chunkBytes) {
    await writeAll(file, next(done / chunkBytes).subarray(0, Math.min(chunkBytes, bytes - done)))
    tell(Math.min(bytes, done + chunkBytes))
  }
  await file.sync()
}

const block = Buffer.alloc(chunkBytes)

function noise(): Buffer {
  return randomFillSync(block)
}

function telemetry(chunk: number): Buffer {
  block.write(telemetryLines(chunk, chunkBytes), 0, chunkBytes, 'latin1')
  return block
}

/** Lines as a recorder writes them, no two chunks alike. @returns exactly so many bytes of them */
export function telemetryLines(chunk: number, bytes: number): string {
  const lines: string[] = []
  for (let length = 0, line = 0; length < bytes; line++) {
    const n = chunk * 10_000 + line
    lines.push(
      `{"at":"2026-01-01T00:00:${String(n % 60).padStart(2, '0')}.000Z","cpu":${(n * 7919) % 100},"free":${(n * 104_729) % 8_388_608},"n":${n}}\n`,
    )
    length += lines.at(-1)?.length ?? 0
  }
  return lines.join('').slice(0, bytes)
}
