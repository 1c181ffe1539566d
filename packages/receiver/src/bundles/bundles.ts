/**
 * What hosts without a registry update from: an archive a commit, with its libraries.
 *
 *     <state_dir>/bundles/<commit>.tar.zst   immutable
 *     <state_dir>/bundles/<commit>.json      its hash, linked before the archive: what has none is not served
 *     <state_dir>/bundles/.lock              held by the command that writes here
 */
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommitSha, Sha256 } from '@cis490/shared/ids.ts'
import { linkNew, makeDir, removeFile, replaceFile, syncDir } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { type ProcessLock, takeLock } from '@cis490/shared/node/process-lock.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'
import { z } from 'zod'
import { type Bundle, bundleCommit, tooMany } from '../core/bundle-plan.ts'
import { copyHashed } from './copy-hashed.ts'

const Sidecar = z.object({ commit: CommitSha, sha256: Sha256, bytes: z.int().nonnegative(), added_at: z.iso.datetime() })

export interface OpenBundle extends AsyncDisposable {
  readonly file: FileHandle
  readonly bundle: Bundle
}

export type Added =
  | { readonly kind: 'added'; readonly bundle: Bundle; readonly removed: readonly Bundle[] }
  | { readonly kind: 'there-already' | 'another-is-there'; readonly bundle: Bundle }
  | { readonly kind: 'wrong-hash'; readonly sha256: string }

export class Bundles {
  readonly #dir: string

  constructor(stateDir: string) {
    this.#dir = join(stateDir, 'bundles')
  }

  /** For commands that write. @returns undefined while another one does */
  async lock(): Promise<ProcessLock | undefined> {
    await makeDir(this.#dir)
    const lock = takeLock(join(this.#dir, '.lock'))
    if (lock) await this.#removeLeftovers()
    return lock
  }

  /** Newest first; only what is whole. */
  async list(): Promise<Bundle[]> {
    const names = await readdir(this.#dir).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return []
      throw error
    })
    const commits = names.flatMap((name) => bundleCommit(name) ?? [])
    const found = await Promise.all(commits.map((commit) => this.#sidecar(commit)))
    return found.flatMap((one) => one ?? []).toSorted((a, b) => (a.added_at < b.added_at ? 1 : -1))
  }

  /** @returns undefined where there is none, or it is not what its sidecar says */
  async open(commit: CommitSha): Promise<OpenBundle | undefined> {
    const bundle = await this.#sidecar(commit)
    const file = bundle && (await openIfThere(this.#archive(commit)))
    if (!file) return undefined
    if ((await file.stat()).size === bundle.bytes) return { file, bundle, [Symbol.asyncDispose]: () => file.close() }
    await file.close()
    return undefined
  }

  /**
   * Copies a file in under the name of its commit. The caller holds the lock.
   * @param keep so many stay, of which this is one @param onBytes told how far it is
   */
  async add(
    from: FileHandle,
    said: Pick<Bundle, 'commit' | 'sha256' | 'added_at'>,
    keep: number,
    onBytes: (done: number) => void,
  ): Promise<Added> {
    const { commit } = said
    const there = await this.open(commit)
    await there?.[Symbol.asyncDispose]()
    if (there) return { kind: there.bundle.sha256 === said.sha256 ? 'there-already' : 'another-is-there', bundle: there.bundle }
    const part = join(this.#dir, `${commit}.part`)
    try {
      const { sha256, bytes } = await copyHashed(from, part, onBytes)
      if (sha256 !== said.sha256) return { kind: 'wrong-hash', sha256 }
      const bundle: Bundle = { ...said, bytes }
      // What lies there under the name is no bundle: its sidecar is missing, or says something else.
      if (await removeFile(this.#archive(commit))) await syncDir(this.#dir)
      await replaceFile(this.#sidecarPath(commit), `${JSON.stringify(bundle)}\n`)
      linkNew(part, this.#archive(commit))
      await syncDir(this.#dir)
      return { kind: 'added', bundle, removed: await this.#prune(keep, commit) }
    } finally {
      await removeFile(part)
    }
  }

  /** The caller holds the lock. @returns false when there was none */
  async remove(commit: CommitSha): Promise<boolean> {
    const was = await removeFile(this.#archive(commit))
    if (was) await syncDir(this.#dir)
    await removeFile(this.#sidecarPath(commit))
    await syncDir(this.#dir)
    return was
  }

  async #prune(keep: number, added: CommitSha): Promise<readonly Bundle[]> {
    const old = tooMany(await this.list(), keep, added)
    for (const { commit } of old) await this.remove(commit)
    return old
  }

  /** Of a command that was killed: copies, and sidecars whose archive never came or went first. */
  async #removeLeftovers(): Promise<void> {
    const names = new Set(await readdir(this.#dir))
    for (const name of names) {
      const alone = name.endsWith('.json') && !names.has(name.replace(/\.json$/, archiveSuffix))
      if (alone || name.endsWith('.part') || name.endsWith('.tmp')) await removeFile(join(this.#dir, name))
    }
  }

  async #sidecar(commit: CommitSha): Promise<Bundle | undefined> {
    try {
      const told = Sidecar.safeParse(JSON.parse(await readFile(this.#sidecarPath(commit), 'utf8'))).data
      return told?.commit === commit ? told : undefined
    } catch (error) {
      if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined
      throw error
    }
  }

  #archive(commit: CommitSha): string {
    return join(this.#dir, `${commit}${archiveSuffix}`)
  }

  #sidecarPath(commit: CommitSha): string {
    return join(this.#dir, `${commit}.json`)
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return await open(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined
    throw error
  })
}
