/** The receiver's index as it grows. */
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { splitLines } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { IndexRow } from '@cis490/shared/receipt.ts'

const lookEveryMs = 200

export interface IndexReader {
  /** Complete rows that came since the last look. */
  next(): Promise<IndexRow[]>
}

export function readIndex(stateDir: string): IndexReader {
  let offset = 0
  return {
    async next() {
      const bytes = await bytesFrom(join(stateDir, 'index.jsonl'), offset)
      const { lines, complete } = splitLines(bytes)
      offset += complete
      return lines.map((line) => IndexRow.parse(JSON.parse(line)))
    },
  }
}

/** Calls `tell` for each new row until `stop`. */
export async function followIndex(reader: IndexReader, tell: (row: IndexRow) => void, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    for (const row of await reader.next()) tell(row)
    await sleep(lookEveryMs, undefined, { signal: stop }).catch(() => undefined)
  }
}

async function bytesFrom(path: string, offset: number): Promise<Buffer> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    const bytes = Buffer.alloc(Math.max(0, size - offset))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, offset)
    return bytes.subarray(0, bytesRead)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return Buffer.alloc(0)
    throw error
  }
}
