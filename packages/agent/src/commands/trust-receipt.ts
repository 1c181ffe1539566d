/** Between "the receiver says it is stored" and "it may be deleted here": is that the receiver's own word? */
import { timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { header, receiptKeysPath } from '@cis490/shared/protocol.ts'
import { ReceiptKeys } from '@cis490/shared/receipt-signature.ts'
import type { Answer } from '../core/answer.ts'
import { jitteredDelay, minute } from '../core/backoff.ts'
import type { AttemptOutcome } from '../core/outcome.ts'
import { judgeReceipt, keyUnknown, newKeys, type PinnedKey, type ReceiptTrust } from '../core/receipt-trust.ts'
import type { Entry } from '../outbox/entry.ts'
import { arithmetic } from '../receipts/pins.ts'
import type { Shipping } from './shipping.ts'

/** A delivery whose receipt does not hold becomes `later` with an alarm; every other outcome stays as it is. */
export async function onlyIfTrusted(
  shipping: Shipping,
  entry: Entry,
  answer: Answer,
  outcome: AttemptOutcome,
  signal: AbortSignal,
): Promise<AttemptOutcome> {
  if (outcome.outcome !== 'delivered' || answer.kind !== 'answer') return outcome
  const signature = answer.headers[header.receiptSignature]
  const verdict = await trustOf(shipping, answer.body, signature, signal)
  if (verdict.trust === 'signed') return { ...outcome, ...(signature !== undefined && { signature }) }
  if (verdict.trust === 'unsigned-receiver') return outcome
  const { code, alarm } = verdict.trust === 'refused' ? verdict : { code: 'receipt-key-unknown', alarm: '' }
  const nextAt = shipping.now() + jitteredDelay(entry.attempts, shipping.random(), minute)
  return { outcome: 'later', nextAt, code, alarm }
}

async function trustOf(
  shipping: Shipping,
  text: string,
  signature: string | undefined,
  signal: AbortSignal,
): Promise<ReceiptTrust> {
  const pinned = shipping.pins.inForce
  const verdict = judgeReceipt(text, signature, pinned, arithmetic)
  if (verdict.trust !== 'ask-keys') return verdict
  const answer = await shipping.client().request('GET', receiptKeysPath, { signal, quick: true })
  const offered = answer.kind === 'answer' && answer.status === 200 ? ReceiptKeys.safeParse(parseObject(answer.body)) : undefined
  if (!offered?.success) return keyUnknown(verdict.key, 'cannot be asked for now')
  const fresh = newKeys(offered.data, pinned, arithmetic)
  const again = judgeReceipt(text, signature, [...pinned, ...fresh], arithmetic)
  if (again.trust === 'ask-keys') return keyUnknown(verdict.key, 'no key that this host believes vouches for')
  // Nothing is believed for the sake of a receipt that does not hold.
  if (again.trust === 'signed') await remember(shipping, fresh)
  return again
}

async function remember({ pins, log, now }: Shipping, fresh: readonly PinnedKey[]): Promise<void> {
  await pins.add(fresh, timestamp(now()))
  for (const { id, how, vouched_by } of fresh) {
    const fields = { event: 'receipt-key-pinned', key: id, how, vouched_by: vouched_by.map((voucher) => voucher.id) }
    if (how === 'first-use')
      log.warn(fields, 'the receiver signs its receipts: this key is believed from now on (trust on first use)')
    else log.info(fields, 'a newer receipt key was taken up: an older one vouches for it')
  }
}
