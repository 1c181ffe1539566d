/** `taints.jsonl`: read as a whole, written by one process at a time, beside a receiver that works. */
import { type BigIntStats, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { parseObject, splitLines } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import { type ProcessLock, takeLock } from '@cis490/shared/node/process-lock.ts'
import { TaintRow } from '@cis490/shared/taint.ts'
import { Taints } from '../core/taints.ts'
import type { StoreLayout } from './layout.ts'

export interface TaintsRead {
  readonly taints: Taints
  readonly rows: readonly TaintRow[]
  /** Numbers, from 1, of lines that are no statement: somebody has to look, for a taint may be lost in one. */
  readonly damaged: readonly number[]
}

/** A missing file says nothing against any episode. A last line without newline is still being written. */
export async function readTaints(layout: StoreLayout): Promise<TaintsRead> {
  const rows: TaintRow[] = []
  const damaged: number[] = []
  const bytes = await readFile(layout.taints).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return Buffer.alloc(0)
    throw error
  })
  for (const [k, line] of splitLines(bytes).lines.entries()) {
    const row = TaintRow.safeParse(parseObject(line)).data
    if (row) rows.push(row)
    else damaged.push(k + 1)
  }
  return { taints: new Taints(rows), rows, damaged }
}

/** @returns undefined while another process writes taints */
export function lockTaints(layout: StoreLayout): ProcessLock | undefined {
  return takeLock(layout.taintsLock)
}

/** Returns when the statement is durable. The caller holds the lock. */
export async function appendTaint(layout: StoreLayout, row: TaintRow): Promise<void> {
  await using journal = await Journal.open(layout.taints)
  await journal.append(row)
}

/** The taints as they are now, read again only when the file has changed. */
export class TaintsNow {
  readonly #layout: StoreLayout
  readonly #onDamage: (lines: readonly number[]) => void
  #seen: string | undefined
  #read: Promise<Taints> = Promise.resolve(new Taints())

  /** @param onDamage told once a change, the numbers of the lines that are no statement */
  constructor(layout: StoreLayout, onDamage: (lines: readonly number[]) => void = () => undefined) {
    this.#layout = layout
    this.#onDamage = onDamage
  }

  /** @throws the system's error for a file that cannot be read: without it nobody can tell what is tainted */
  get(): Promise<Taints> {
    // Taken before the read, so that a row that is added in between is seen next time.
    const print = fingerprint(this.#layout.taints)
    if (print === this.#seen) return this.#read
    this.#seen = print
    this.#read = readTaints(this.#layout).then(({ taints, damaged }) => {
      if (damaged.length > 0) this.#onDamage(damaged)
      return taints
    })
    this.#read.catch(() => {
      this.#seen = undefined
    })
    return this.#read
  }
}

function fingerprint(path: string): string {
  const stats: BigIntStats | undefined = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stats === undefined ? 'absent' : [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(':')
}
