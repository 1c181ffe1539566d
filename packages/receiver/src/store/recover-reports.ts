/** At start: reports that were acknowledged and whose own files may not have survived. */
import { readdir, readFile, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostName } from '@cis490/shared/ids.ts'
import { inParallel } from '@cis490/shared/in-parallel.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { removeFile, showFile, syncDir, syncFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { staleSequence } from '../core/report-order.ts'
import type { StoreLayout } from './layout.ts'
import { scanLines } from './line-scan.ts'
import { type JournaledReport, parseJournaled } from './report-section.ts'

/** @property number the highest of a section @property settled whether none is left */
export interface Recovered {
  readonly number: number
  readonly settled: boolean
}

/** Files at a time: hosts do not get in before this has ended. */
const atOnce = 16

/** A disk without room keeps nobody from starting: the journal stays. */
export async function recoverReports(layout: StoreLayout, log: Logger): Promise<Recovered> {
  const numbers = await sectionNumbers(layout)
  const number = numbers.at(-1) ?? 0
  const paths = numbers.map((one) => join(layout.reportJournal, `${one}.jsonl`))
  try {
    const reports = await lastReports(paths)
    await showAll(layout, reports)
    // The oldest first, each for good: an older section that came back alone would show older reports.
    for (const path of paths) {
      await removeFile(path)
      await syncDir(layout.reportJournal)
    }
    if (reports.length > 0)
      log.info({ event: 'reports-recovered', reports: reports.length }, 'reports of the journal are in their place')
    return { number, settled: true }
  } catch (error) {
    log.error({ err: error }, 'reports of the journal could not be put in their place; it is kept for the next start')
    return { number, settled: false }
  }
}

async function sectionNumbers(layout: StoreLayout): Promise<number[]> {
  const names = await readdir(layout.reportJournal)
  return names.flatMap((name) => (/^\d+\.jsonl$/.test(name) ? Number.parseInt(name, 10) : [])).sort((a, b) => a - b)
}

async function lastReports(paths: readonly string[]): Promise<JournaledReport[]> {
  const last = new Map<HostName, JournaledReport>()
  for (const path of paths)
    for await (const { lines } of scanLines(path))
      for (const { bytes } of lines) {
        const report = parseJournaled(bytes.toString('utf8'))
        const before = report && last.get(report.host)
        // A host that was not shown again by the start before may have been taken for one that reported nothing yet.
        if (report && !(before && isNewer(before.bytes, report.bytes))) last.set(report.host, report)
      }
  return [...last.values()]
}

/** Each of them, whatever becomes of the others. @throws the first failure */
async function showAll(layout: StoreLayout, reports: readonly JournaledReport[]): Promise<void> {
  const failures: unknown[] = []
  await inParallel(reports, atOnce, (report) => showAgain(layout, report).catch((error: unknown) => failures.push(error)))
  if (failures.length > 0) throw failures[0]
  await syncDir(layout.reports)
}

/** Written anew though it may be there: after a failed sync the page cache has what the disk may have lost, and a second sync would call that good. */
async function showAgain(layout: StoreLayout, { host, receivedAt, bytes }: JournaledReport): Promise<void> {
  const path = layout.report(host)
  const there = await readThere(path)
  // Written by a receiver that keeps no journal, after the crash of one that does.
  const newer = there && isNewer(there.bytes, bytes)
  showFile(path, newer ? there.bytes : bytes)
  const at = newer ? there.mtime : receivedAt
  await utimes(path, at, at)
  await syncFile(path)
}

async function readThere(path: string): Promise<{ bytes: Buffer; mtime: Date } | undefined> {
  try {
    return { bytes: await readFile(path), mtime: (await stat(path)).mtime }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  }
}

function isNewer(known: Buffer, other: Buffer): boolean {
  return staleSequence(parseObject(known.toString('utf8')), parseObject(other.toString('utf8')) ?? {}) !== undefined
}
