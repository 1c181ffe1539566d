/** `meta.json` of an archive, wherever in it it lies; undefined where there is none that is valid. */
import { EpisodeMeta } from '@cis490/shared/episode.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { Parser, type ReadEntry } from 'tar'
import { isMeta } from '../core/archive-entry.ts'
import { decode } from './decode.ts'
import { NotZstd } from './frames.ts'

const maxMeta = 8 << 20

export async function readMeta(path: string, id: string): Promise<EpisodeMeta | undefined> {
  let text: string | undefined
  const parser = new Parser({ gzip: false, brotli: false, zstd: false })
  parser.on('entry', (entry: ReadEntry) => {
    if (text !== undefined || !isMeta(entry.path, id) || entry.size > maxMeta) {
      entry.resume()
      return
    }
    const parts: Buffer[] = []
    entry.on('data', (chunk: Buffer) => parts.push(chunk))
    entry.on('end', () => {
      text = Buffer.concat(parts).toString('utf8')
    })
  })
  try {
    for await (const chunk of decode(path)) {
      parser.write(chunk)
      await new Promise((resolve) => setImmediate(resolve))
      if (text !== undefined) break
    }
  } catch (error) {
    if (!(error instanceof NotZstd)) throw error
  }
  return EpisodeMeta.safeParse(parseObject(text ?? '')).data
}
