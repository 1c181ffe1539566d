/** `host-health/<host>.json`: the last report of each host, the bytes as sent; the file's mtime is the receive time. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { HostName, timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { makeDir, removeFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { inOrder, type Report } from '../core/report-order.ts'
import type { StoreLayout } from './layout.ts'
import { ReportJournal } from './report-journal.ts'

export interface StoredReport {
  readonly received_at: string
  readonly age_s: number
  readonly report: unknown
}

const maxEpoch = 128

interface Waiting {
  readonly bytes: Buffer
  readonly report: Report
  resolve(ignoredFor: number | undefined): void
  reject(error: unknown): void
}

export class Reports implements AsyncDisposable {
  readonly #layout: StoreLayout
  /** One writer a file: who waits while a host's report is written goes into the next write. */
  readonly #waiting = new Map<HostName, Waiting[]>()
  /** What the stored report of a host says of its order: nobody else writes these files. */
  readonly #marks = new Map<HostName, Report>()
  readonly #journal: ReportJournal

  private constructor(layout: StoreLayout, journal: ReportJournal) {
    this.#layout = layout
    this.#journal = journal
  }

  /** The caller holds the lock of the store. */
  static async open(layout: StoreLayout, log: Logger, journalBytes?: number): Promise<Reports> {
    await makeDir(layout.reports)
    // Left by a crash inside of a replacement; the report before it is whole.
    for (const name of await readdir(layout.reports)) if (name.endsWith('.tmp')) await removeFile(join(layout.reports, name))
    return new Reports(layout, await ReportJournal.open(layout, log, journalBytes))
  }

  /** @returns the stored sequence when the report is an older one of the same state folder and was ignored */
  store(host: HostName, bytes: Buffer, report: Report): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const one = { bytes, report, resolve, reject }
      const waiting = this.#waiting.get(host)
      if (waiting) return void waiting.push(one)
      this.#waiting.set(host, [one])
      void this.#drain(host)
    })
  }

  async #drain(host: HostName): Promise<void> {
    for (let group = this.#waiting.get(host); group && group.length > 0; group = this.#waiting.get(host)) {
      this.#waiting.set(host, [])
      try {
        const answers = await this.#store(host, group)
        for (const [k, one] of group.entries()) one.resolve(answers[k])
      } catch (error) {
        for (const one of group) one.reject(error)
      }
    }
    this.#waiting.delete(host)
  }

  /** Only the report that would be left is written, and nobody is answered before it is durable. */
  async #store(host: HostName, group: readonly Waiting[]): Promise<readonly (number | undefined)[]> {
    const before = this.#marks.get(host) ?? parseObject((await this.read(host))?.toString('utf8') ?? '')
    const reports = group.map(({ report }) => report)
    const { last, answers } = inOrder(before, reports)
    const left = last === undefined ? undefined : group[last]
    if (!left) return answers
    // What is there after a failure, only the file itself tells.
    this.#marks.delete(host)
    await this.#journal.write(host, left.bytes)
    this.#remember(host, left.report)
    return answers
  }

  async read(host: HostName): Promise<Buffer | undefined> {
    try {
      return await readFile(this.#layout.report(host))
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENAMETOOLONG')) return undefined
      throw error
    }
  }

  /** Only what is short: what else a host calls its epoch is read again from its file. */
  #remember(host: HostName, { report_epoch, sequence }: Report): void {
    if (typeof report_epoch === 'string' && report_epoch.length > maxEpoch) return
    this.#marks.set(host, typeof report_epoch === 'string' && typeof sequence === 'number' ? { report_epoch, sequence } : {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal[Symbol.asyncDispose]()
  }

  async readAll(now: number, only?: HostName): Promise<Record<string, StoredReport>> {
    const hosts: Record<string, StoredReport> = {}
    for (const name of (await readdir(this.#layout.reports)).sort()) {
      const host = HostName.safeParse(name.endsWith('.json') ? name.slice(0, -5) : '').data
      if (host === undefined || (only !== undefined && host !== only)) continue
      const [bytes, info] = await Promise.all([this.read(host), stat(this.#layout.report(host)).catch(() => undefined)])
      if (!bytes || !info) continue
      const age_s = Math.max(0, Math.round((now - info.mtimeMs) / 100) / 10)
      hosts[host] = { received_at: timestamp(info.mtimeMs), age_s, report: parseObject(bytes.toString('utf8')) }
    }
    return hosts
  }
}
