/** Names of bundles, the word of the checksum file beside one, and which of them stay. Pure. */
import { CommitSha, Sha256 } from '@cis490/shared/ids.ts'
import { archiveSuffix } from '@cis490/shared/protocol.ts'

export interface Bundle {
  readonly commit: CommitSha
  readonly sha256: Sha256
  readonly bytes: number
  /** RFC 3339. */
  readonly added_at: string
}

/** @param name of a file, or what follows `/v1/bundles/` in a target. @returns undefined where it names no commit */
export function bundleCommit(name: string): CommitSha | undefined {
  // Exactly as the files are called: nothing is decoded or folded, so nothing else can be reached.
  if (!/^[0-9a-f]+\.tar\.zst$/.test(name)) return undefined
  return CommitSha.safeParse(name.slice(0, -archiveSuffix.length)).data
}

/** The hash in the text of `sha256sum`: of the file with this name, or of the only one. */
export function checksumIn(text: string, name: string): Sha256 | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const [own] = lines.filter((line) => line.replace(/^\S+\s+\*?/, '').endsWith(name))
  const line = own ?? (lines.length === 1 && /^\s*\S+\s*$/.test(lines[0] as string) ? lines[0] : undefined)
  return Sha256.safeParse(line?.trim().split(/\s+/)[0]).data
}

/** Those that have to go so that `keep` are left; the one that was added just now stays, and the newest. */
export function tooMany(all: readonly Bundle[], keep: number, added: CommitSha): readonly Bundle[] {
  const newestFirst = all.filter(({ commit }) => commit !== added).toSorted((a, b) => (a.added_at < b.added_at ? 1 : -1))
  return newestFirst.slice(Math.max(0, keep - 1))
}
