/** The key that a request is made for. It waits under its new name until its certificate is there, and never leaves this host. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { removeFile, syncDir, writeNew } from '@cis490/shared/node/durable.ts'
import { newName } from '@cis490/shared/node/key-pair.ts'
import { requestInfo, signedRequest } from '../core/signing-request.ts'

export interface PendingKey {
  readonly pem: string
  readonly key: KeyObject
}

/** The one that waits, where one does: a receiver that answered before, unheard, knows this key again. */
export async function pendingKey(keyFile: string): Promise<PendingKey> {
  const path = newName(keyFile)
  const found = await readFile(path, 'utf8').catch(() => '')
  const key = keyOf(found)
  if (key) return { pem: found, key }
  await removeFile(path)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  await writeNew(path, pem, 0o600)
  await syncDir(dirname(path))
  return { pem, key: privateKey }
}

/** @returns undefined for what a power cut left half */
function keyOf(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem)
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined
  } catch {
    return undefined
  }
}

/** PKCS #10 for this host, base64 as EST sends it. */
export function signingRequest(host: string, key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const info = requestInfo(host, spki)
  return Buffer.from(signedRequest(info, sign('sha256', info, key))).toString('base64')
}
