/** Makes the outcome of an attempt durable and says so. */
import { timestamp } from '@cis490/shared/ids.ts'
import { removeFile } from '@cis490/shared/node/durable.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import { type Hold, holdAfterFault, isHeld, jitteredDelay, noHold } from '../core/backoff.ts'
import { type AttemptOutcome, afterRehash, isReceiverWide } from '../core/outcome.ts'
import type { Entry } from '../outbox/entry.ts'
import { hashFile } from '../ship/hash.ts'
import type { Shipping } from './shipping.ts'

/** @param status of the answer, 0 for none. @param body the receipt as it came, where there is one */
export async function settle(
  shipping: Shipping,
  entry: Entry,
  outcome: AttemptOutcome,
  status: number,
  body: string,
  signal?: AbortSignal,
): Promise<AttemptOutcome> {
  const { outbox, log, teller, memory } = shipping
  const { id } = entry
  const { mismatches: _, next_at: __, ...plain } = entry
  const now = shipping.now()
  const next = (code: string): Entry => ({ ...plain, attempts: entry.attempts + 1, last: { status, code, at: timestamp(now) } })
  const code = 'code' in outcome ? outcome.code : ''
  memory.streak = { code, count: code === memory.streak.code ? memory.streak.count + 1 : 1 }
  switch (outcome.outcome) {
    case 'delivered':
      await outbox.settleDelivered(entry, body, outcome.signature)
      memory.hold = noHold
      log.info({ event: 'delivered', id, bytes: entry.bytes, position: outcome.receipt.gate_position }, 'episode delivered')
      await shipping.forgetFolder(id)
      break
    case 'later':
      await outbox.update({ ...next(outcome.code), next_at: timestamp(outcome.nextAt) })
      if (isReceiverWide(outcome.code, memory.streak.count))
        hold(shipping, (held) => holdAfterFault(held, outcome.code, now, shipping.random(), outcome.nextAt))
      // It has answered about this entry, so it is there for the others.
      else if (status > 0) memory.hold = noHold
      if (outcome.alarm) teller.alarm({ id, code: outcome.code, status }, outcome.alarm)
      log.warn(
        { event: 'later', id, code: outcome.code, status, next_at: timestamp(outcome.nextAt) },
        'episode is tried again later',
      )
      break
    case 'gated': {
      await outbox.update({ ...next(outcome.code), lane: 'gated' })
      memory.hold = noHold
      const { detail, head_commit, remediation } = outcome.problem
      log.info({ event: 'gated', id, code: outcome.code, commit: entry.commit }, 'episode waits on the gated lane')
      teller.tell({ code: outcome.code, detail, commit: entry.commit, head: head_commit, remediation })
      break
    }
    case 'quarantine':
      await outbox.update({ ...forgetUpload(next(outcome.code)), lane: 'quarantine' })
      memory.hold = noHold
      log.error(
        { event: 'quarantine', id, code: outcome.code, remedy: `cis490-agent outbox show ${id}` },
        'episode is refused for good; a person decides',
      )
      break
    case 'all-wait':
      await outbox.update(next(outcome.code))
      hold(shipping, ({ failures }) => ({ until: outcome.nextAt, failures: failures + 1, code: outcome.code }))
      teller.tell({ code: outcome.code, detail: outcome.alarm, remediation: outcome.remediation })
      break
    case 'unreachable':
      await outbox.update(next(outcome.code))
      hold(shipping, (held) => holdAfterFault(held, outcome.code, now, shipping.random()))
      log.warn(
        {
          event: 'unreachable',
          id,
          code: outcome.code,
          detail: printable(outcome.message),
          next_at: timestamp(memory.hold.until),
        },
        'no answer from the receiver',
      )
      break
    case 'rehash':
      return await rehash(shipping, entry, status, signal)
    case 'untouched':
    case 'compare':
      break
  }
  return outcome
}

/** Transfers that fail together are one failure. */
export function hold({ memory, now }: Pick<Shipping, 'memory' | 'now'>, next: (hold: Hold) => Hold): void {
  if (!isHeld(memory.hold, now())) memory.hold = next(memory.hold)
}

/** Its bytes are of no use any more. */
function forgetUpload({ upload_url: _, upload_offset: __, ...entry }: Entry): Entry {
  return entry
}

/** The receiver got other bytes than we named, or the archive is not as it was: who is wrong, the way or the disk? */
async function rehash(shipping: Shipping, entry: Entry, status: number, signal?: AbortSignal): Promise<AttemptOutcome> {
  const { outbox, log } = shipping
  const now = shipping.now()
  const again = now + jitteredDelay(entry.attempts, shipping.random())
  const path = outbox.archivePath(entry.id)
  let actual: string
  try {
    actual = await hashFile(path, signal)
  } catch (error) {
    if (signal?.aborted) return { outcome: 'untouched' }
    const alarm = `cannot read ${path}: ${messageOf(error)}`
    return await settle(shipping, entry, { outcome: 'later', nextAt: again, code: 'archive-unreadable', alarm }, status, '')
  }
  const mismatches = (entry.mismatches ?? 0) + 1
  switch (afterRehash(actual === entry.sha256, mismatches, await shipping.folderExists(entry.id))) {
    case 'retry': {
      const last = { status, code: 'sha256-mismatch', at: timestamp(now) }
      await outbox.update({ ...forgetUpload(entry), mismatches, attempts: entry.attempts + 1, last, next_at: timestamp(again) })
      log.warn(
        { event: 'later', id: entry.id, code: 'sha256-mismatch', mismatches },
        'bytes were damaged on the way; tried again later',
      )
      return { outcome: 'later', nextAt: again, code: 'sha256-mismatch' }
    }
    case 'repack':
      log.error({ event: 'repack', id: entry.id, path }, 'the archive is damaged on this disk; it is made anew from the episode')
      await removeFile(path)
      return { outcome: 'later', nextAt: now, code: 'archive-damaged' }
    case 'quarantine':
      return await settle(shipping, entry, { outcome: 'quarantine', code: 'sha256-mismatch' }, status, '')
  }
}
