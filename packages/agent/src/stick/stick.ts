/** One host's folder on a stick. FAT has no hard links: a file gets its name by rename, after its bytes were verified and synced. */
import { createHash, createPrivateKey } from 'node:crypto'
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type ExportManifest, manifestName, type ReadManifest, readManifest, signedText } from '@cis490/shared/export-manifest.ts'
import { makeDir, moveOver, removeFile, replaceFile, writeAll } from '@cis490/shared/node/durable.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'
import { signWithKey } from '@cis490/shared/node/key-signature.ts'

/** The archive in the outbox is not what its sidecar says, or cannot be read. */
export class ArchiveDamaged extends Error {
  override readonly name = 'ArchiveDamaged'
}

/** The archive left the outbox while it was looked at: it was delivered. */
export class ArchiveGone extends Error {
  override readonly name = 'ArchiveGone'
}

export class HostFolder {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** Makes `<dir>/<host>` and takes away what an interrupted copy left. `dir` itself has to be there: else the stick is not. */
  static async open(dir: string, host: string): Promise<HostFolder> {
    const path = join(dir, host)
    await makeDir(path)
    for (const name of await readdir(path)) if (name.endsWith('.part')) await removeFile(join(path, name))
    return new HostFolder(path)
  }

  async sizes(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>()
    for (const name of await readdir(this.path)) {
      const found = await stat(join(this.path, name))
      if (found.isFile()) sizes.set(name, found.size)
    }
    return sizes
  }

  manifest(): Promise<ReadManifest | undefined> {
    return readManifestIn(this.path)
  }

  /** The manifest of a stick that nothing is written to. */
  static read(dir: string, host: string): Promise<ReadManifest | undefined> {
    return readManifestIn(join(dir, host))
  }

  /** One atomic replace: readers see the whole of the earlier export or of this one. */
  async writeManifest(manifest: ExportManifest, identity: { readonly key: string; readonly cert: string }): Promise<void> {
    const line = JSON.stringify(manifest)
    const certificates = identity.cert.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    const signature = { ...signWithKey(signedText(line), createPrivateKey(identity.key)), certificates }
    await replaceFile(join(this.path, manifestName), `${line}\n${JSON.stringify(signature)}\n`)
  }

  /** @param from an archive that is never changed. @throws ArchiveDamaged, ArchiveGone, or the fault of the disk; nothing is left then */
  async copy(
    from: string,
    file: string,
    expected: { readonly sha256: string; readonly bytes: number },
    onBytes: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const part = join(this.path, `${file}.part`)
    await using source = await openSource(from)
    const into = await open(part, 'w', 0o640)
    try {
      const sha256 = await pour(source, into, onBytes, signal)
      if (sha256 !== expected.sha256) throw new ArchiveDamaged(`${from} has not the hash that its sidecar says`)
      await into.sync()
      await into.close()
      await moveOver(part, join(this.path, file))
    } catch (error) {
      await into.close().catch(() => undefined)
      await removeFile(part).catch(() => undefined)
      throw error
    }
  }

  async remove(file: string): Promise<void> {
    await removeFile(join(this.path, file))
  }
}

async function readManifestIn(folder: string): Promise<ReadManifest | undefined> {
  const text = await readFile(join(folder, manifestName), 'utf8').catch((error: unknown) => {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  return text === undefined ? undefined : readManifest(text)
}

async function openSource(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw new ArchiveGone(path)
    throw error
  }
}

async function pour(
  source: FileHandle,
  into: FileHandle,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(1 << 20)
  for (;;) {
    signal.throwIfAborted()
    const { bytesRead } = await source.read(buffer, 0, buffer.length).catch((error: unknown) => {
      throw new ArchiveDamaged(messageOf(error))
    })
    if (bytesRead === 0) return hash.digest('hex')
    const chunk = buffer.subarray(0, bytesRead)
    hash.update(chunk)
    await writeAll(into, chunk)
    onBytes(bytesRead)
  }
}
