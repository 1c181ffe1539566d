/** Keeps to the quota and to the disk while a scan packs: second copies make room, oldest first, each with its tombstone before it goes. */
import { stat } from 'node:fs/promises'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { lookSincePacked } from '../core/delivered-plan.ts'
import { planRoom, type RoomPlan, type RoomVerdict, type SecondCopy } from '../core/quota.ts'
import { deleteEpisode } from '../episodes/delete.ts'
import { folderBytes, freeBytes } from '../episodes/usage.ts'
import { outboxBytes } from '../outbox/read.ts'
import { readReserve } from '../outbox/reserve.ts'
import type { AgentContext } from './context.ts'
import { packedLook } from './finish-delivered.ts'

export class Rooms {
  readonly #context: AgentContext
  readonly #sameDisk: boolean
  #used: number
  #copies: readonly SecondCopy[]
  /** A copy could not be freed: the others are left for a later scan. */
  #stuck = false
  /** Second copies that made room in this scan. */
  readonly freed: SecondCopy[] = []

  private constructor(context: AgentContext, used: number, copies: readonly SecondCopy[], sameDisk: boolean) {
    this.#context = context
    this.#used = used
    this.#copies = copies
    this.#sameDisk = sameDisk
  }

  /** Frees at once what a limit that is exceeded already asks for. */
  static async open(context: AgentContext, copies: readonly SecondCopy[]): Promise<Rooms> {
    const { paths, quota } = context.config
    const used = quota.bytes === 0 ? 0 : (await folderBytes(paths.episodes)) + (await outboxBytes(paths.outbox))
    const sameDisk = await onSameDisk(paths)
    const rooms = new Rooms(context, used, copies, sameDisk)
    // Recorders have a disk of their own: it is kept free just the same.
    if (!sameDisk) await rooms.#carryOut(rooms.#plan(await freeBytes(paths.episodes), 0, true, 0))
    await rooms.ask(0)
    return rooms
  }

  /** @param next upper bound of the archive's size, bytes */
  async ask(next: number): Promise<RoomVerdict> {
    const { paths, quota } = this.#context.config
    const held = await readReserve({ stateDir: paths.state, outboxDir: paths.outbox, bytes: quota.reserve })
    const plan = this.#plan(await freeBytes(paths.outbox), held.at(-1)?.bytes ?? 0, this.#sameDisk, next)
    await this.#carryOut(plan)
    return plan.verdict
  }

  packed(bytes: number): void {
    this.#used += bytes
  }

  #plan(free: number, held: number, sameDisk: boolean, next: number): RoomPlan {
    const { bytes, policy, reserve } = this.#context.config.quota
    return planRoom({ used: this.#used, quota: bytes, policy, free, held, reserve, copies: this.#copies, sameDisk }, next)
  }

  async #carryOut({ drop }: RoomPlan): Promise<void> {
    for (const { copy, reason } of this.#stuck ? [] : drop) {
      this.#copies = this.#copies.filter((one) => one.id !== copy.id)
      if (!(await freeCopy(this.#context, copy, reason))) {
        this.#stuck = true
        return
      }
      this.#used -= copy.bytes
      this.freed.push(copy)
    }
  }
}

/** Do second copies lie where archives are written? */
export async function onSameDisk({ episodes, outbox }: { readonly episodes: string; readonly outbox: string }): Promise<boolean> {
  const disks = await Promise.all([episodes, outbox].map((path) => stat(path).catch(() => undefined)))
  return disks[0] === undefined || disks[1] === undefined || disks[0].dev === disks[1].dev
}

/** @returns false when the folder stayed after all */
async function freeCopy(
  { outbox, config, log }: AgentContext,
  copy: SecondCopy,
  reason: 'quota' | 'disk-full',
): Promise<boolean> {
  const { id, bytes } = copy
  const receipt = outbox.receiptOf(id)
  if (receipt === undefined) return false
  const why = reason === 'quota' ? 'second copy made room for the quota' : 'second copy made room on a full disk'
  const grave = { id, what: 'second-copy' as const, reason: why, by: 'cis490-agent', sha256: receipt.sha256, bytes }
  try {
    // Once for these bytes, however often the deletion fails.
    const before = outbox.tombstoneOf(id)
    if (before?.what !== 'second-copy' || before.sha256 !== receipt.sha256) await outbox.bury(grave)
  } catch (error) {
    log.warn(
      { event: 'second-copy-left', id, cause: messageOf(error) },
      'a second copy stays: its tombstone could not be written',
    )
    return false
  }
  const packed = packedLook(outbox, id)
  const result = await deleteEpisode(config.paths.episodes, id, (print) => lookSincePacked(print, packed) === 'unchanged')
  if (result.done === 'deleted') {
    log.info({ event: 'second-copy-freed', id, bytes, reason }, 'freed the second copy of a delivered episode')
    return true
  }
  log.warn({ event: 'second-copy-left', id, ...result }, 'a second copy could not make room')
  return false
}
