/** The store of a soak as it lies on disk, read without any of the receiver's code. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import type { Stored, StoredRow } from './check.ts'

export async function readStored(stateDir: string): Promise<Stored> {
  const text = await readFile(join(stateDir, 'index.jsonl'), 'utf8')
  const files = new Map<string, string>()
  const sidecars = new Map<string, string>()
  const episodes = join(stateDir, 'episodes')
  for (const entry of await readdir(episodes, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const host = basename(dirname(entry.parentPath))
    if (entry.name.endsWith('.json'))
      sidecars.set(`${host}/${entry.name.slice(0, -'.json'.length)}`, await readFile(path, 'utf8'))
    else files.set(`${host}/${entry.name.slice(0, -'.tar.zst'.length)}`, sha256(await readFile(path)))
  }
  const lines = text.split('\n')
  const torn = lines.pop()
  const rows = lines.map((line) => (parseObject(line) ?? { host: '', id: line, sha256: '' }) as unknown as StoredRow)
  const chain = [...brokenLinks(lines), ...(torn ? [`the last line is torn: ${torn}`] : [])]
  return { rows, files, sidecars, incoming: await readdir(join(stateDir, 'incoming')), chain }
}

/** Each row names the hash of the line before it, and they are counted from 1. */
function brokenLinks(lines: readonly string[]): string[] {
  const broken: string[] = []
  let prev = '0'.repeat(64)
  for (const [k, line] of lines.entries()) {
    const row = parseObject(line)
    if (row?.['seq'] !== k + 1 || row['prev'] !== prev) broken.push(`line ${k + 1} does not follow the line before it`)
    prev = sha256(line)
  }
  return broken
}

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
