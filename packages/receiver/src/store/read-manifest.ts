/** A manifest of either form: JSON lines, or one JSON document. */
import { readFile } from 'node:fs/promises'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { ManifestEntry, ManifestHeader } from '../core/manifest.ts'
import { scanLines } from './line-scan.ts'

export interface ManifestItem {
  /** From 1, the header not counted. */
  readonly number: number
  /** undefined: it is no entry. */
  readonly entry: ManifestEntry | undefined
}

export interface ManifestRead {
  readonly header: ManifestHeader
  readonly items: AsyncIterable<ManifestItem>
}

/** @throws Error for what is no manifest */
export async function readManifest(path: string): Promise<ManifestRead> {
  for await (const { lines } of scanLines(path, { chunkBytes: 4096 })) {
    const first = parseObject(lines[0]?.bytes.toString('utf8') ?? '')
    const header = ManifestHeader.safeParse(first).data
    if (header && first?.['episodes'] === undefined) return { header, items: fromLines(path, lines[0]?.end ?? 0) }
    break
  }
  const whole = parseObject(await readFile(path, 'utf8'))
  const header = ManifestHeader.safeParse(whole).data
  const episodes = whole?.['episodes']
  if (!header || !Array.isArray(episodes)) throw new Error('this is no manifest: its header is missing or of another version')
  return { header, items: fromArray(episodes) }
}

async function* fromLines(path: string, from: number): AsyncGenerator<ManifestItem> {
  let number = 0
  for await (const { lines } of scanLines(path, { from }))
    for (const { bytes } of lines) {
      number += 1
      yield { number, entry: ManifestEntry.safeParse(parseObject(bytes.toString('utf8'))).data }
    }
}

async function* fromArray(episodes: readonly unknown[]): AsyncGenerator<ManifestItem> {
  for (const [k, value] of episodes.entries()) yield { number: k + 1, entry: ManifestEntry.safeParse(value).data }
}
