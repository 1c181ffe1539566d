/** Episode archives as fast as they can be made: zstd frames that hold their bytes as they are, and a head of always the same length. */
import { randomFillSync } from 'node:crypto'
import { endOfArchive, padding, tarHeader } from '@cis490/agent/episodes/tar-header.ts'

const blockBytes = 128 * 1024
const frameBytes = 1 << 20

/** One zstd frame of raw blocks (RFC 8878 section 3.1.1): single segment, the content's size in four bytes. */
export function rawFrame(content: Uint8Array): Buffer {
  const head = Buffer.alloc(9)
  head.writeUInt32LE(0xfd2fb528, 0)
  head.writeUInt8(0xa0, 4)
  head.writeUInt32LE(content.length, 5)
  const parts: Uint8Array[] = [head]
  for (let at = 0; at < content.length || at === 0; at += blockBytes) {
    const block = content.subarray(at, at + blockBytes)
    const last = at + blockBytes >= content.length ? 1 : 0
    const field = Buffer.alloc(3)
    field.writeUIntLE((block.length << 3) | last, 0, 3)
    parts.push(field, block)
  }
  return Buffer.concat(parts)
}

/** The frame that tells of the episode: meta.json and the header of its one file. */
export function archiveHead(id: string, commit: string, payload: number): Buffer {
  const meta = Buffer.from(JSON.stringify({ schema_version: 1, episode_id: id, code_version: { commit, dirty: false } }))
  const member = { type: 'file', mode: 0o644, mtime_ns: 1_700_000_000_000_000_000n } as const
  return rawFrame(
    Buffer.concat([
      tarHeader({ ...member, name: `${id}/meta.json`, size: meta.length }, id),
      meta,
      Buffer.alloc(padding(meta.length)),
      tarHeader({ ...member, name: `${id}/telemetry.bin`, size: payload }, id),
    ]),
  )
}

/** Frames with that many random bytes and the end of the archive; the same for every id. */
export function* archiveRest(payload: number): Generator<Buffer> {
  const block = Buffer.alloc(Math.min(frameBytes, payload))
  for (let left = payload; left > 0; left -= frameBytes)
    yield rawFrame(randomFillSync(block).subarray(0, Math.min(left, frameBytes)))
  yield rawFrame(Buffer.concat([Buffer.alloc(padding(payload)), endOfArchive]))
}
