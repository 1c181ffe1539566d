/**
 * `report-journal/<n>.jsonl`: reports of any number of hosts become durable here by one write and one sync. Each is shown in its
 * host's own file after that, and those files are synced later, many at a time, when a section of the journal has grown long.
 * A section goes when all that it holds is durable in its place; what a crash leaves of it is shown again by the next start.
 */
import { join } from 'node:path'
import type { HostName } from '@cis490/shared/ids.ts'
import { inParallel } from '@cis490/shared/in-parallel.ts'
import { makeDir, removeFile, showFile, syncDir, syncFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { Refusal } from '@cis490/shared/problems.ts'
import type { StoreLayout } from './layout.ts'
import { type Recovered, recoverReports } from './recover-reports.ts'
import { ReportSection } from './report-section.ts'

/** Files at a time: the disk syncs several in the time of one, and requests need its threads, too. */
const syncsAtOnce = 4

export class ReportJournal implements AsyncDisposable {
  readonly #layout: StoreLayout
  readonly #log: Logger
  #number: number
  #section: ReportSection | undefined
  #renewing: Promise<void> | undefined
  /** Whether all sections before the present one are gone. Once they are not, none goes until the next start. */
  #settled: Promise<boolean>
  #settling = 0
  #closed = false
  readonly #longBytes: number

  private constructor(layout: StoreLayout, log: Logger, { number, settled }: Recovered, longBytes: number) {
    this.#longBytes = longBytes
    this.#layout = layout
    this.#log = log
    this.#number = number
    this.#settled = Promise.resolve(settled)
  }

  /**
   * Shows what a crash left in the journal. The caller holds the lock of the store.
   * @param longBytes how long a section grows: the more reports of one host, the fewer syncs; the fewer in all, the sooner a start is done with them
   */
  static async open(layout: StoreLayout, log: Logger, longBytes = 8 << 20): Promise<ReportJournal> {
    await makeDir(layout.reportJournal)
    return new ReportJournal(layout, log, await recoverReports(layout, log), longBytes)
  }

  /** Resolves when the host's file holds these bytes, and would after a power cut. One writer a host. @throws the system's error */
  async write(host: HostName, bytes: Buffer): Promise<void> {
    const section = this.#usable() ?? (await this.#renewed())
    if (this.#closed) throw new Refusal('shutting-down', 'the receiver is stopping', { retry_after_s: 5 })
    await section.write(host, bytes, () => showFile(this.#layout.report(host), bytes))
  }

  /** A long one is used until the next is there: nobody waits, and where the disk has no room for another it goes on growing. */
  #usable(): ReportSection | undefined {
    if (!this.#section || this.#section.broken) return undefined
    if (this.#section.bytes >= this.#longBytes && this.#settling === 0) void this.#renewed().catch(() => undefined)
    return this.#section
  }

  async #renewed(): Promise<ReportSection> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
    })
    await this.#renewing
    return this.#section as ReportSection
  }

  async #renew(): Promise<void> {
    const next = await ReportSection.open(join(this.#layout.reportJournal, `${this.#number + 1}.jsonl`))
    const before = this.#section
    this.#number += 1
    this.#section = next
    if (before) this.#settle(before)
  }

  #settle(section: ReportSection): void {
    this.#settling += 1
    this.#settled = this.#settled.then(async (others) => {
      const settled = await this.#settleNext(section, others)
      if (settled) this.#settling -= 1
      return settled
    })
  }

  /**
   * In their order, each gone for good before the next one goes: an older section that came back alone would show older reports.
   * A failed sync is not tried again: the second may call good what the first one lost. So everything stays for the next start, which writes it anew.
   */
  async #settleNext(section: ReportSection, others: boolean): Promise<boolean> {
    try {
      await section.close()
      // One that a full disk left empty goes in any case.
      if (section.hosts.size > 0 && !others) return false
      await this.#syncReports(section.hosts)
      await removeFile(section.path)
      await syncDir(this.#layout.reportJournal)
      return others
    } catch (error) {
      this.#log.error(
        { err: error },
        'reports could not be synced in their place; their journal is kept, and grows until this receiver is started again',
      )
      return false
    }
  }

  async #syncReports(hosts: ReadonlySet<HostName>): Promise<void> {
    await inParallel(hosts, syncsAtOnce, (host) => syncFile(this.#layout.report(host)).catch(unlessGone))
    await syncDir(this.#layout.reports)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await this.#renewing?.catch(() => undefined)
    if (this.#section) this.#settle(this.#section)
    await this.#settled
  }
}

/** A report that an operator took away needs no sync. */
function unlessGone(error: unknown): void {
  if (!isErrno(error, 'ENOENT')) throw error
}
