/** One file of the reports' journal: a row a report, its bytes as they were sent. */
import { HostName, timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { Journal } from '@cis490/shared/node/journal.ts'

export interface JournaledReport {
  readonly host: HostName
  readonly receivedAt: Date
  readonly bytes: Buffer
}

export class ReportSection {
  readonly #journal: Journal
  /** Whose file may not be durable but for this section. */
  readonly #hosts = new Set<HostName>()
  readonly #idle = Promise.withResolvers<void>()
  #writing = 0
  #closing = false

  private constructor(journal: Journal) {
    this.#journal = journal
  }

  static async open(path: string): Promise<ReportSection> {
    return new ReportSection(await Journal.open(path))
  }

  get path(): string {
    return this.#journal.path
  }

  get hosts(): ReadonlySet<HostName> {
    return this.#hosts
  }

  get bytes(): number {
    return this.#journal.size
  }

  /** True after a failed write: nothing more can be written here. */
  get broken(): boolean {
    return this.#journal.broken
  }

  /** @param show puts the report where it is read; called once it is durable here */
  async write(host: HostName, bytes: Buffer, show: () => void): Promise<void> {
    this.#writing += 1
    try {
      await this.#journal.append({ host, received_at: timestamp(Date.now()), report: bytes.toString('base64') })
      this.#hosts.add(host)
      show()
    } finally {
      this.#writing -= 1
      if (this.#closing && this.#writing === 0) this.#idle.resolve()
    }
  }

  /** Waits for who writes; nobody begins to after the call. */
  async close(): Promise<void> {
    this.#closing = true
    if (this.#writing > 0) await this.#idle.promise
    await this.#journal[Symbol.asyncDispose]()
  }
}

/** @returns undefined for a row that is none: nobody was told that it is there */
export function parseJournaled(line: string): JournaledReport | undefined {
  const { host, received_at, report } = parseObject(line) ?? {}
  const name = HostName.safeParse(host).data
  const receivedAt = new Date(String(received_at))
  if (name === undefined || Number.isNaN(receivedAt.getTime()) || typeof report !== 'string') return undefined
  return { host: name, receivedAt, bytes: Buffer.from(report, 'base64') }
}
