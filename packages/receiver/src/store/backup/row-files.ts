/** The files of rows, and the reports: copied up to their last complete row, never linked, because they go on growing. */
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { makeDir, moveOver, removeFile, replaceFile, writeAll } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { readTail } from '@cis490/shared/node/tail.ts'

/** Prunes first: what they took out is no longer missed. Who was thrown out stays out after a restore. */
const single = [
  'prunes.jsonl',
  'revoked.jsonl',
  join('ca', 'issued.jsonl'),
  'taints.jsonl',
  'losses.jsonl',
  'alerts.jsonl',
  'rejects.jsonl',
  'rejects.jsonl.1',
]

export async function carryRowFiles(from: string, to: string): Promise<void> {
  const events = (await names(join(from, 'events'))).filter((name) => name.endsWith('.jsonl'))
  for (const name of [...single, ...events.map((event) => join('events', event))]) {
    const taken = await takeRows(join(from, name), join(to, name))
    if (taken) await moveOver(taken, join(to, name))
  }
  for (const name of (await names(join(from, 'host-health'))).filter((one) => one.endsWith('.json'))) {
    const report = await readFile(join(from, 'host-health', name))
    // A power cut may leave an empty file that the next start fills from the journal: no reason to lose the one of the backup before.
    if (!parseObject(report.toString('utf8'))) continue
    await makeDir(join(to, 'host-health'))
    await replaceFile(join(to, 'host-health', name), report)
  }
}

/** Copies the complete rows beside the place where they belong. @returns the path of the copy, synced; undefined where there is nothing to copy */
export async function takeRows(from: string, to: string): Promise<string | undefined> {
  await using source = await openIfThere(from)
  if (!source) return undefined
  const { complete } = await readTail(source)
  await makeDir(dirname(to))
  const temp = `${to}.new`
  await removeFile(temp)
  await using target = await open(temp, 'wx', 0o640)
  const buffer = Buffer.allocUnsafe(1 << 20)
  for (let at = 0; at < complete; ) {
    const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, complete - at), at)
    if (bytesRead === 0) break
    await writeAll(target, buffer.subarray(0, bytesRead))
    at += bytesRead
  }
  await target.sync()
  return temp
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return []
    throw error
  }
}
