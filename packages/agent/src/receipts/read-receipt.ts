/** A receipt from wherever a person has it: a file with its signature beside it, a row of receipts.jsonl, or an episode's id. */
import { constants, createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { signatureSuffix } from '@cis490/shared/export-manifest.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { parseReceiptSignature } from '@cis490/shared/receipt-signature.ts'
import { receiptOfRow } from '../core/receipt-row.ts'
import type { ReceiptToVerify } from '../core/verify-receipt.ts'

/** The newest row of this id. @returns undefined where there is none */
export async function findReceipt(stateDir: string, id: string): Promise<ReceiptToVerify | undefined> {
  let found: Record<string, unknown> | undefined
  try {
    const input = createReadStream(join(stateDir, 'receipts.jsonl'))
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const row = parseObject(line)
      if (row?.['id'] === id) found = row
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
  return found && ofRow(found)
}

/** @returns undefined where there is no such file, or none that can be a receipt */
export async function readReceiptFile(path: string): Promise<ReceiptToVerify | undefined> {
  const text = await readIfThere(path)
  if (text === undefined) return undefined
  // A row of receipts.jsonl carries its signature itself.
  const row = parseObject(text.toString('utf8'))
  if (row && typeof row['receipt_signature'] === 'string') return ofRow(row)
  const beside = await readIfThere(`${path}${signatureSuffix}`)
  return { text: text.toString('utf8'), ...(beside ? signatureIn(beside) : { signature: undefined, key: undefined }) }
}

function ofRow(row: Record<string, unknown>): ReceiptToVerify {
  const { text, signature } = receiptOfRow(row)
  return { text, ...(signature === undefined ? { signature: undefined, key: undefined } : signatureIn(Buffer.from(signature))) }
}

/** The header's value as text, or the 64 bytes as openssl has them. What is neither stays, and verifies under no key. */
export function signatureIn(bytes: Buffer): { signature: string; key: string | undefined } {
  const parsed = parseReceiptSignature(bytes.toString('latin1'))
  return parsed ?? { signature: bytes.toString('base64'), key: undefined }
}

const maxBytes = 1 << 20

/** What a stick holds under the name may be anything: only a small regular file is read, and nothing else is waited for. */
export async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const found = await file.stat()
    return found.isFile() && found.size <= maxBytes ? await file.readFile() : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ENXIO')) return undefined
    throw error
  }
}
