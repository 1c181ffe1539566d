/** At start: reports that were acknowledged and whose own files may not have survived. */
import { readdir, readFile, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostName } from '@cis490/shared/ids.ts'
import { inParallel } from '@cis490/shared/in-parallel.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { removeFile, replaceFile, syncDir, syncFile } from '@cis490/shared/node/durable.ts'
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
    await inParallel(reports, atOnce, (report) => showAgain(layout, report))
    await syncDir(layout.reports)
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
  return names.flatMap((name) => Number(/^(\d+)\.jsonl$/.exec(name)?.[1] ?? [])).sort((a, b) => a - b)
}

async function lastReports(paths: readonly string[]): Promise<JournaledReport[]> {
  const last = new Map<HostName, JournaledReport>()
  for (const path of paths)
    for await (const { lines } of scanLines(path))
      for (const { bytes } of lines) {
        const report = parseJournaled(bytes.toString('utf8'))
        if (report) last.set(report.host, report)
      }
  return [...last.values()]
}

async function showAgain(layout: StoreLayout, { host, receivedAt, bytes }: JournaledReport): Promise<void> {
  const path = layout.report(host)
  const there = await readFile(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  })
  if (there && (there.equals(bytes) || isNewer(there, bytes))) return await syncFile(path)
  await replaceFile(path, bytes)
  await utimes(path, receivedAt, receivedAt)
}

/** Written by a receiver that keeps no journal, after the crash of one that does. */
function isNewer(there: Buffer, journaled: Buffer): boolean {
  return staleSequence(parseObject(there.toString('utf8')), parseObject(journaled.toString('utf8')) ?? {}) !== undefined
}
