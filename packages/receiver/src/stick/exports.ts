/** The exports on a stick, as strangers' input: names are parsed, links are not followed, sizes have limits. */
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { manifestName, receiptKeysName, receiptName, receiptsFolder, signatureSuffix } from '@cis490/shared/export-manifest.ts'
import type { HostName } from '@cis490/shared/ids.ts'
import { makeDir, removeFile, replaceFile } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { parseReceiptSignature } from '@cis490/shared/receipt-signature.ts'

/** Far above what a million entries need. */
const maxManifest = 512 << 20

/** Folders of `dir` that hold a manifest, sorted. */
export async function listExports(dir: string): Promise<string[]> {
  const folders = (await readdir(dir, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const found: string[] = []
  for (const name of folders.sort()) if (await openPlain(join(dir, name, manifestName)).then(close)) found.push(name)
  return found
}

/** @returns the text, or what is wrong with it */
export async function readManifestFile(folder: string): Promise<{ text: string } | { fault: string }> {
  await using file = await openPlain(join(folder, manifestName))
  if (!file) return { fault: 'it is not a plain file' }
  const { size } = await file.stat()
  return size > maxManifest ? { fault: `it has ${size} bytes` } : { text: await file.readFile('utf8') }
}

/** @returns undefined for what is missing, a link or no plain file */
export async function openPlain(path: string): Promise<FileHandle | undefined> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ELOOP', 'ENXIO', 'ENOTDIR', 'EISDIR')) return undefined
    throw error
  }
  if ((await file.stat()).isFile()) return file
  await file.close()
  return undefined
}

async function close(file: FileHandle | undefined): Promise<boolean> {
  await file?.close()
  return file !== undefined
}

/** Makes the folder for the receipts of a host. Called before anything is stored: a stick that cannot be written to is told at once. */
export async function makeReceiptsFolder(dir: string, host: HostName): Promise<string> {
  const all = join(dir, receiptsFolder)
  const folder = join(all, host)
  for (const path of [all, folder]) {
    await makeDir(path)
    await refuseLink(path)
  }
  return folder
}

/** What is written through a link lands wherever its maker wants. */
async function refuseLink(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) throw new Error(`${path} is no folder of the stick but a link: take it away`)
}

/** The signature first: a receipt without it proves nothing to a host that knows better. */
export async function writeReceipt(folder: string, file: string, text: string, signature: string | undefined): Promise<void> {
  const path = join(folder, receiptName(file))
  const parsed = signature === undefined ? undefined : parseReceiptSignature(signature)
  if (parsed) await replaceFile(`${path}${signatureSuffix}`, Buffer.from(parsed.signature, 'base64'))
  else await removeFile(`${path}${signatureSuffix}`)
  if (!(await holds(path, text))) await replaceFile(path, text)
}

async function holds(path: string, text: string): Promise<boolean> {
  try {
    await using file = await openPlain(path)
    return file !== undefined && (await file.stat()).size === Buffer.byteLength(text) && (await file.readFile('utf8')) === text
  } catch {
    return false
  }
}

export async function writeReceiptKeys(dir: string, text: string): Promise<void> {
  const folder = join(dir, receiptsFolder)
  await refuseLink(folder)
  await replaceFile(join(folder, receiptKeysName), text)
}

export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true
}
