/** Reads back from an archive what its sidecar would say: hash, size and, if its first entry is meta.json, the stamp. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createZstdDecompress } from 'node:zlib'
import { EpisodeMeta } from '@cis490/shared/episode.ts'
import { Sha256 } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { Parser, type ReadEntry } from 'tar'

const maxMetaBytes = 8 << 20

export async function hashArchive(path: string): Promise<{ sha256: Sha256; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { sha256: Sha256.parse(hash.digest('hex')), bytes }
}

/** @returns undefined when the archive does not begin with a valid meta.json within its first frame. @throws the system's error where it cannot be read */
export function readArchiveMeta(path: string): Promise<EpisodeMeta | undefined> {
  // Only the first frame counts: meta.json is the first entry, and node's decoder is not to be trusted beyond a frame.
  const { promise, resolve, reject } = Promise.withResolvers<EpisodeMeta | undefined>()
  const source = createReadStream(path)
  const decoder = createZstdDecompress()
  let first: Promise<void> | undefined
  const parser = new Parser({
    onReadEntry: (entry) => {
      if (first) entry.resume()
      first ??= readMeta(entry).then(finish, () => finish(undefined))
    },
  })
  const finish = (meta: EpisodeMeta | undefined) => {
    resolve(meta)
    source.destroy()
    decoder.destroy()
  }
  // What cannot be read now may have a stamp all the same.
  source.on('error', (error) => {
    reject(error)
    finish(undefined)
  })
  decoder.on('error', () => finish(undefined))
  parser.on('error', () => finish(undefined))
  // A turn later: an entry that was read to its end is answered first, one that was cut off never is.
  parser.on('end', () => void setImmediate(finish, undefined))
  source.pipe(decoder).pipe(parser as unknown as NodeJS.WritableStream)
  return promise
}

async function readMeta(entry: ReadEntry): Promise<EpisodeMeta | undefined> {
  if (!/^(?:\.\/)?(?:[^/]+\/)?meta\.json$/.test(entry.path) || entry.size > maxMetaBytes) return undefined
  return EpisodeMeta.safeParse(parseObject((await entry.concat()).toString())).data
}
