/** Does what the plan says, durably, in its order. Killed at any moment and run again it ends well. The caller holds the locks of the store and of the prunes. */
import { randomUUID } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { makeDir, moveOver, removeFile, syncDir, writeNew } from '@cis490/shared/node/durable.ts'
import { Journal } from '@cis490/shared/node/journal.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import type { Receipt } from '@cis490/shared/receipt.ts'
import type { LossRow } from '../../core/loss.ts'
import type { Loss, RepairPlan, RepairStep } from '../../core/repair-plan.ts'
import type { EpisodeKey, StoreLayout } from '../layout.ts'
import { LossLog } from '../losses.ts'
import { below, isThere, moveToQuarantine, quarantinePlace } from '../quarantine.ts'
import { survivingRows } from './surviving-rows.ts'
import { writeIndex } from './write-index.ts'

export type Backfilled = { readonly receipt: Receipt } | { readonly refused: string }

export interface RepairPorts {
  /** Who is asking, for `losses.jsonl`. */
  readonly by: string
  now(): number
  /** A new receipt for an archive of which nothing sound is known any more. @param whole all of it has to unpack @returns it, or why not */
  backfill(key: EpisodeKey, whole: boolean): Promise<Backfilled>
  onStep?(done: number): void
}

export interface RepairDone {
  readonly lost: LossRow[]
  /** The old index, below the state folder. */
  index_before?: string
}

export class Repair {
  readonly #layout: StoreLayout
  readonly #ports: RepairPorts
  readonly #losses: LossLog
  readonly #changes: Map<string, Receipt | 'gone'>
  readonly #added: Receipt[]
  readonly #done: RepairDone = { lost: [] }

  private constructor(layout: StoreLayout, plan: RepairPlan, ports: RepairPorts, losses: LossLog) {
    this.#layout = layout
    this.#ports = ports
    this.#losses = losses
    this.#changes = new Map(plan.changes)
    this.#added = [...plan.added]
  }

  static async run(layout: StoreLayout, plan: RepairPlan, ports: RepairPorts): Promise<RepairDone> {
    await makeDir(layout.incoming)
    await makeDir(layout.episodes)
    await using losses = await LossLog.open(layout)
    const repair = new Repair(layout, plan, ports, losses)
    for (const [k, step] of plan.steps.entries()) {
      await repair.#step(step)
      ports.onStep?.(k + 1)
    }
    return repair.#done
  }

  async #step(step: RepairStep): Promise<void> {
    switch (step.do) {
      case 'move-stranger':
        return await this.#moveAway('strangers', join(this.#layout.root, step.at))
      case 'finish-prune':
        return await this.#remove(this.#layout.archive(step.key))
      case 'remove-receipt':
        return await this.#remove(this.#layout.sidecar(step.key))
      case 'write-receipt':
        return await this.#writeReceipt(step.key, step.text)
      case 'backfill':
        return await this.#backfill(step.key, step.otherwise)
      case 'lose':
        return await this.#lose(step.key, step)
      case 'rebuild-index':
        return await this.#rebuildIndex()
      case 'cut-tail':
        return await cutTail(join(this.#layout.root, step.at))
      case 'remove-leftover':
        return await this.#remove(join(this.#layout.root, step.at))
      // Where the index is not written anew, the recovery that follows appends it.
      case 'append-row':
    }
  }

  async #remove(path: string): Promise<void> {
    if (await removeFile(path)) await syncDir(dirname(path))
  }

  async #moveAway(folder: string, path: string): Promise<void> {
    await moveToQuarantine(path, await quarantinePlace(this.#layout, folder, path, timestamp(this.#ports.now())))
  }

  async #writeReceipt(key: EpisodeKey, text: string): Promise<void> {
    const temp = join(this.#layout.incoming, `${randomUUID()}.json`)
    await writeNew(temp, text)
    await makeDir(this.#layout.shelf(key))
    await moveOver(temp, this.#layout.sidecar(key))
  }

  async #backfill(key: EpisodeKey, otherwise: Loss | undefined): Promise<void> {
    const made = await this.#ports.backfill(key, otherwise !== undefined)
    if ('refused' in made) {
      if (otherwise) return await this.#lose(key, { ...otherwise, detail: `${otherwise.detail}; ${made.refused}` })
      return await this.#lose(key, { reason: 'archive-without-sidecar', detail: made.refused })
    }
    await this.#writeReceipt(key, JSON.stringify(made.receipt))
    const name = `${key.host}/${key.id}`
    if (this.#changes.has(name)) this.#changes.set(name, made.receipt)
    else this.#added.push(made.receipt)
  }

  /** Written down first, with the places to which it goes. */
  async #lose(key: EpisodeKey, { reason, detail, receipt }: Loss): Promise<void> {
    const at = timestamp(this.#ports.now())
    const moves: { from: string; to: string }[] = []
    for (const from of [this.#layout.archive(key), this.#layout.sidecar(key)])
      if (await isThere(from)) moves.push({ from, to: await quarantinePlace(this.#layout, key.host, from, at) })
    const row: LossRow = {
      at,
      ...key,
      reason,
      detail,
      by: this.#ports.by,
      ...(receipt && { sha256: receipt.sha256, bytes: receipt.bytes, received_at: receipt.received_at }),
      ...(receipt?.commit && { commit: receipt.commit }),
      kept: moves.map(({ to }) => below(this.#layout, to)),
    }
    await this.#losses.add(row)
    for (const { from, to } of moves) await moveToQuarantine(from, to)
    this.#done.lost.push(row)
  }

  async #rebuildIndex(): Promise<void> {
    const rows = survivingRows(this.#layout, this.#changes, this.#added)
    const before = await writeIndex(this.#layout, rows, timestamp(this.#ports.now()))
    if (before !== undefined) this.#done.index_before = basename(before)
  }
}

/** Files that another program or command writes have their own locks: what is busy mends itself. */
const owners: Readonly<Record<string, string>> = {
  'alerts.jsonl': 'fleet.lock',
  'taints.jsonl': 'taints.lock',
}

async function cutTail(path: string): Promise<void> {
  const owner = owners[basename(path)]
  using lock = owner === undefined ? undefined : takeLock(join(dirname(path), owner))
  if (owner !== undefined && !lock) return
  await using journal = await Journal.open(path)
  void journal
}
