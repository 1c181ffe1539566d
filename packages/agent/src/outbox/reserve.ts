/**
 * A file that holds room for bookkeeping, so that a receipt can be written on a full disk:
 *
 *     <state>/.reserve      and <outbox>/.reserve where that is another file system
 *
 * It is given back when bookkeeping meets a full disk, and made again when there is room.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, stat, statfs, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { removeFile, syncDir, writeAll } from '@cis490/shared/node/durable.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import { reserveName } from './layout.ts'
import { isDiskFull } from './with-room.ts'

const block = 1 << 20

export interface ReserveOptions {
  readonly stateDir: string
  readonly outboxDir: string
  /** 0: none is kept. */
  readonly bytes: number
  readonly log: Logger
}

export interface ReserveState {
  readonly path: string
  readonly bytes: number
  readonly wanted: number
}

/** How the reserve stands; needs no lock. */
export async function readReserve({ stateDir, outboxDir, bytes }: Omit<ReserveOptions, 'log'>): Promise<ReserveState[]> {
  const dirs = await dirsToKeep(stateDir, outboxDir)
  return await Promise.all(
    dirs.map(async (dir) => ({ path: join(dir, reserveName), bytes: await sizeOf(join(dir, reserveName)), wanted: bytes })),
  )
}

export class Reserve implements AsyncDisposable {
  readonly #options: ReserveOptions
  #making: Promise<void> | undefined
  #stop = new AbortController()

  constructor(options: ReserveOptions) {
    this.#options = options
  }

  /** Makes in the background what is missing, where there is room for it. The folders are there. */
  keep(): void {
    this.#making ??= this.#keepAll().finally(() => (this.#making = undefined))
  }

  /** Gives back the room on the file system of this folder. */
  async give(dir: string): Promise<void> {
    this.#stop.abort()
    await this.#making
    this.#stop = new AbortController()
    for (const kept of await dirsToKeep(this.#options.stateDir, this.#options.outboxDir)) {
      const path = join(kept, reserveName)
      if (!(await sameFileSystem(kept, dir)) || !(await removeFile(path))) continue
      await syncDir(kept)
      this.#options.log.warn({ event: 'reserve-given', path }, 'the disk is full: gave the reserve back for bookkeeping')
    }
  }

  async #keepAll(): Promise<void> {
    const { stateDir, outboxDir, log } = this.#options
    try {
      for (const dir of await dirsToKeep(stateDir, outboxDir)) await this.#keepIn(dir)
    } catch (error) {
      log.warn({ event: 'reserve-failed', cause: messageOf(error) }, 'could not make the reserve')
    }
  }

  async #keepIn(dir: string): Promise<void> {
    const { bytes, log } = this.#options
    const path = join(dir, reserveName)
    const have = await sizeOf(path)
    if (have === bytes) return
    if (bytes === 0) return void (await removeFile(path))
    if (have > bytes) return await truncate(path, bytes)
    const { bavail, bsize } = await statfs(dir)
    // As much again stays free: else it would take at once what it has just given.
    if (bavail * bsize < bytes - have + bytes) return
    try {
      await fill(path, have, bytes, this.#stop.signal)
    } catch (error) {
      if (isDiskFull(error)) await removeFile(path)
      throw error
    }
    if (this.#stop.signal.aborted) return
    await syncDir(dir)
    log.info({ event: 'reserve-made', path, bytes }, 'made the reserve for bookkeeping on a full disk')
  }

  /** Ends the making; what is there is gone on with next time. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#making
  }

  /** Waits until it is made, or cannot be. */
  async settled(): Promise<void> {
    await this.#making
  }
}

/** Random bytes: zeros take no room where the file system compresses. */
async function fill(path: string, from: number, to: number, signal: AbortSignal): Promise<void> {
  const noise = randomBytes(Math.min(block, to))
  await using file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o640)
  for (let done = from; done < to && !signal.aborted; done += noise.length) await writeAll(file, noise.subarray(0, to - done))
  await file.sync()
}

async function dirsToKeep(stateDir: string, outboxDir: string): Promise<string[]> {
  return (await sameFileSystem(stateDir, outboxDir)) ? [stateDir] : [stateDir, outboxDir]
}

async function sameFileSystem(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((dir) => stat(dir).catch(() => undefined)))
  return a === undefined || b === undefined || a.dev === b.dev
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    (file) => file.size,
    (error: unknown) => {
      if (isErrno(error, 'ENOENT')) return 0
      throw error
    },
  )
}
