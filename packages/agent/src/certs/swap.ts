/** Puts a new pair in the place of the old one. A crash at any point leaves a pair that fits, see readPair. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { moveOver, removeFile, syncDir, writeNew } from '@cis490/shared/node/durable.ts'
import { fits, newName, type PairFiles } from '@cis490/shared/node/key-pair.ts'

/** The key waits under its new name already. @param cert PEM that fits it */
export async function swapPair(files: PairFiles, cert: string): Promise<void> {
  const waiting = newName(files.cert_file)
  await removeFile(waiting)
  await writeNew(waiting, cert, 0o644)
  await syncDir(dirname(waiting))
  await moveOver(newName(files.key_file), files.key_file)
  await moveOver(waiting, files.cert_file)
}

/** Ends what a crash left in the middle: a certificate that was fetched is put in its place. @returns whether one was */
export async function finishSwap(files: PairFiles): Promise<boolean> {
  const waiting = newName(files.cert_file)
  const cert = await text(waiting)
  if (cert === '') return false
  const present = { cert: await text(files.cert_file), key: await text(files.key_file) }
  // The key is in its place already: whatever the dates say, this is the certificate that fits it.
  const half = !fits(present) && fits({ cert, key: present.key })
  const newer = half || endOf(cert) > endOf(present.cert)
  if (newer && !half && fits({ cert, key: await text(newName(files.key_file)) }))
    await moveOver(newName(files.key_file), files.key_file)
  else if (!newer || !fits({ cert, key: present.key })) {
    await removeFile(waiting)
    return false
  }
  await moveOver(waiting, files.cert_file)
  return true
}

function endOf(pem: string): number {
  try {
    return new X509Certificate(pem).validToDate.getTime()
  } catch {
    return Number.NEGATIVE_INFINITY
  }
}

async function text(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '')
}
