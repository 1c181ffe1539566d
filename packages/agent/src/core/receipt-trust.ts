/** Whether a receipt proves that the episode may go. Pure: the arithmetic of the signatures comes in as functions. */
import {
  parseReceiptSignature,
  type ReceiptKey,
  type ReceiptKeys,
  type Voucher,
  vouchText,
} from '@cis490/shared/receipt-signature.ts'

/** A key that is believed, with how it came to be. */
export interface PinnedKey {
  readonly id: string
  readonly public_key: string
  readonly how: 'first-use' | 'vouched' | 'configured'
  /** What older keys say of it: enough to judge it again. */
  readonly vouched_by: readonly Voucher[]
}

export interface Arithmetic {
  verify(text: string, publicKey: string, signature: string): boolean
  keyId(publicKey: string): string
}

export type ReceiptFault = 'receipt-unsigned' | 'receipt-key-unknown' | 'receipt-forged'

export type ReceiptTrust =
  /** No key was ever pinned and the receipt has no signature: a receiver that does not sign. */
  | { readonly trust: 'unsigned-receiver' }
  | { readonly trust: 'signed'; readonly key: string }
  /** Signed with a key that is not pinned: what does the receiver say of it? */
  | { readonly trust: 'ask-keys'; readonly key: string }
  | { readonly trust: 'refused'; readonly code: ReceiptFault; readonly alarm: string }

/** @param text the receipt's exact bytes. @param sent value of X-Cis490-Receipt-Signature */
export function judgeReceipt(
  text: string,
  sent: string | undefined,
  pinned: readonly PinnedKey[],
  { verify }: Pick<Arithmetic, 'verify'>,
): ReceiptTrust {
  if (sent === undefined || sent === '')
    return pinned.length === 0
      ? { trust: 'unsigned-receiver' }
      : refused('receipt-unsigned', 'the receipt is not signed, but the receiver is known to sign')
  const signature = parseReceiptSignature(sent)
  if (!signature) return refused('receipt-forged', 'what stands in the place of the signature of the receipt is none')
  const key = pinned.find(({ id }) => id === signature.key)
  if (!key) return { trust: 'ask-keys', key: signature.key }
  return verify(text, key.public_key, signature.signature)
    ? { trust: 'signed', key: key.id }
    : refused('receipt-forged', `the signature is not that of the key ${key.id} under this receipt`)
}

export function keyUnknown(key: string, why: string): ReceiptTrust {
  return refused('receipt-key-unknown', `the receipt is signed with the key ${key}, which ${why}`)
}

/**
 * The keys that may be pinned beyond those that are: all on first use, later only what a pinned key vouches for, directly or in a chain.
 * Keys whose id is not their own are left out.
 */
export function newKeys(offered: ReceiptKeys, pinned: readonly PinnedKey[], arithmetic: Arithmetic): PinnedKey[] {
  const own = offered.keys.filter((key) => arithmetic.keyId(key.public_key) === key.id)
  if (pinned.length === 0) return own.map((key) => pin(key, 'first-use'))
  const found: PinnedKey[] = []
  for (let before = -1; before < found.length; ) {
    before = found.length
    const believed = [...pinned, ...found]
    const vouched = own.find((key) => !believed.some(({ id }) => id === key.id) && isVouched(key, believed, arithmetic))
    if (vouched) found.push(pin(vouched, 'vouched'))
  }
  return found
}

/** The pins that hold: with configured keys nothing counts that was taken up on first use. */
export function pinsInForce(
  configured: readonly PinnedKey[],
  kept: readonly PinnedKey[],
  arithmetic: Arithmetic,
): readonly PinnedKey[] {
  if (configured.length === 0) return kept
  const offered = kept.map((key) => ({ ...key, algorithm: 'ed25519' as const, current: false, vouched_by: [...key.vouched_by] }))
  return [...configured, ...newKeys({ keys: offered }, configured, arithmetic)]
}

function isVouched(key: ReceiptKey, believed: readonly PinnedKey[], { verify }: Arithmetic): boolean {
  const text = vouchText(key.public_key)
  return key.vouched_by.some(({ id, signature }) =>
    believed.some((older) => older.id === id && verify(text, older.public_key, signature)),
  )
}

function pin({ id, public_key, vouched_by }: ReceiptKey, how: PinnedKey['how']): PinnedKey {
  return { id, public_key, how, vouched_by }
}

function refused(code: ReceiptFault, alarm: string): ReceiptTrust {
  return { trust: 'refused', code, alarm: `${alarm}; nothing is deleted here` }
}
