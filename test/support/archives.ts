/** Episode archives in memory: a tar written entry by entry, so that wrong ones can be made too. */
import { zstdCompressSync } from 'node:zlib'
import { Header } from 'tar'

export interface Entry {
  readonly path: string
  readonly type?: 'File' | 'Directory' | 'SymbolicLink' | 'Link' | 'FIFO' | 'CharacterDevice'
  readonly body?: string | Uint8Array
  readonly linkpath?: string
}

export function tarOf(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap(({ path, type = 'File', body = '', linkpath }) => {
    const bytes = Buffer.from(body)
    const head = Buffer.alloc(512)
    const mtime = new Date(1_700_000_000_000)
    new Header({ path, type, size: bytes.length, mode: 0o644, mtime, ...(linkpath !== undefined && { linkpath }) }).encode(head)
    return [head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

/** What an agent packs: meta.json first, then a file below the episode's folder. @param meta laid over a valid one */
export function episode(id: string, commit: string | undefined, payload: string | Uint8Array = 'telemetry\n', meta = {}): Buffer {
  return zstdCompressSync(
    tarOf([
      { path: `${id}/meta.json`, body: metaText(id, commit, meta) },
      { path: `${id}/telemetry.bin`, body: payload },
    ]),
  )
}

export function metaText(id: string, commit: string | undefined, more = {}): string {
  return JSON.stringify({ schema_version: 1, episode_id: id, ...(commit && { code_version: { commit } }), ...more })
}

/** A frame that decoders step over (RFC 8878 section 3.1.2). */
export function skippableFrame(content: string): Buffer {
  const bytes = Buffer.from(content)
  const head = Buffer.alloc(8)
  head.writeUInt32LE(0x184d2a50, 0)
  head.writeUInt32LE(bytes.length, 4)
  return Buffer.concat([head, bytes])
}
