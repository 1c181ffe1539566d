/**
 * The last report of each day, so that today's can be compared.
 *
 *     agent/reports/<day>.json     two weeks of them, days in UTC
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { makeDir, removeFile, replaceFile } from '@cis490/shared/node/durable.ts'
import { HostReport } from '@cis490/shared/report.ts'
import { reportsToDrop } from '../core/kept-days.ts'

const suffix = '.json'

function folderOf(stateDir: string): string {
  return join(stateDir, 'reports')
}

function dayOf(at: string): string {
  return at.slice(0, 10)
}

/** Days that have a report, oldest first. */
async function days(stateDir: string): Promise<string[]> {
  const names = await readdir(folderOf(stateDir)).catch(() => [])
  return names
    .filter((name) => /^\d{4}-\d\d-\d\d\.json$/.test(name))
    .map((name) => name.slice(0, -suffix.length))
    .toSorted()
}

/** The newest of an earlier day that can be read. @param at RFC 3339, of the report that is compared */
export async function readEarlierReport(stateDir: string, at: string): Promise<HostReport | undefined> {
  const earlier = (await days(stateDir)).filter((day) => day < dayOf(at))
  for (const day of earlier.toReversed()) {
    const text = await readFile(join(folderOf(stateDir), `${day}${suffix}`), 'utf8').catch(() => '')
    const report = HostReport.safeParse(parseObject(text)).data
    if (report) return report
  }
  return undefined
}

/** @throws the system's error, on a full disk for one: then the one before stays */
export async function keepReport(stateDir: string, report: HostReport): Promise<void> {
  const today = dayOf(report.generated_at)
  await makeDir(folderOf(stateDir))
  for (const day of reportsToDrop(await days(stateDir), today)) await removeFile(join(folderOf(stateDir), `${day}${suffix}`))
  await replaceFile(join(folderOf(stateDir), `${today}${suffix}`), `${JSON.stringify(report)}\n`)
}
