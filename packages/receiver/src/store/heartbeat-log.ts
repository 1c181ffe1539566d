/**
 * `heartbeats.jsonl`: a row a heartbeat. Kept in memory for a moment and written in batches, without a sync: a crash loses the last
 * seconds, and the hosts say it again within a minute. Past `maxBytes` the file becomes `heartbeats.jsonl.1` and a new one begins.
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { HeartbeatRow } from '@cis490/shared/heartbeat.ts'
import { moveOver, writeAll } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { readTail } from '@cis490/shared/node/tail.ts'

export interface HeartbeatLogOptions {
  readonly maxBytes?: number
  /** Longest time that a row waits in memory. */
  readonly everyMs?: number
}

/** Hosts in one batch; more are written at once. */
const mostWaiting = 4096

export class HeartbeatLog implements AsyncDisposable {
  readonly #path: string
  readonly #log: Logger
  readonly #maxBytes: number
  readonly #everyMs: number
  #file: FileHandle
  #size: number
  /** The last of each host: one that says it a thousand times a second fills no disk. */
  #waiting = new Map<string, HeartbeatRow>()
  #timer: NodeJS.Timeout | undefined
  #turn: Promise<void> = Promise.resolve()
  #failing = false

  private constructor(path: string, opened: { file: FileHandle; size: number }, log: Logger, options: HeartbeatLogOptions) {
    this.#path = path
    this.#log = log
    this.#file = opened.file
    this.#size = opened.size
    this.#maxBytes = options.maxBytes ?? 64 << 20
    this.#everyMs = options.everyMs ?? 1000
  }

  /** Half a row that a crash left is cut off. */
  static async open(path: string, log: Logger, options: HeartbeatLogOptions = {}): Promise<HeartbeatLog> {
    return new HeartbeatLog(path, await openWhole(path), log, options)
  }

  /** Never fails: a heartbeat that cannot be written down was heard all the same. */
  add(row: HeartbeatRow): void {
    this.#waiting.set(row.host, row)
    if (this.#waiting.size >= mostWaiting) void this.flush()
    else this.#timer ??= setTimeout(() => void this.flush(), this.#everyMs).unref()
  }

  /** Writes what waits. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#turn = this.#turn.then(() => this.#write())
    return this.#turn
  }

  async #write(): Promise<void> {
    if (this.#waiting.size === 0) return
    const rows = [...this.#waiting.values()]
    this.#waiting = new Map()
    try {
      if (this.#failing) await this.#cutBack()
      if (this.#size > this.#maxBytes) await this.#rotate()
      const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
      await writeAll(this.#file, bytes)
      this.#size += bytes.length
      if (this.#failing) this.#log.info({ path: this.#path }, 'heartbeats are written down again')
      this.#failing = false
    } catch (error) {
      if (!this.#failing)
        this.#log.warn({ path: this.#path, cause: messageOf(error), rows: rows.length }, 'heartbeats cannot be written down')
      this.#failing = true
    }
  }

  /** Half a row of a write that failed must not become the head of the next one. */
  async #cutBack(): Promise<void> {
    await this.#file.truncate(this.#size)
  }

  async #rotate(): Promise<void> {
    await moveOver(this.#path, `${this.#path}.1`)
    const fresh = await openWhole(this.#path)
    await this.#file.close().catch(() => undefined)
    this.#file = fresh.file
    this.#size = fresh.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush()
    await this.#file.close()
  }
}

async function openWhole(path: string): Promise<{ file: FileHandle; size: number }> {
  const file = await open(path, 'a+', 0o640)
  try {
    const { complete, torn } = await readTail(file)
    if (torn.length > 0) await file.truncate(complete)
    return { file, size: complete }
  } catch (error) {
    await file.close()
    throw error
  }
}
