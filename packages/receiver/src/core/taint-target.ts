/** What the argument of `taint` means: a commit, a range of commits, or one episode. */
import { CommitSha, EpisodeId, type HostName } from '@cis490/shared/ids.ts'

export type Target =
  | { readonly kind: 'range'; readonly from: string; readonly to: string }
  /** Only the index can tell which of the two. */
  | { readonly kind: 'word'; readonly prefix?: string; readonly id?: EpisodeId }
  | { readonly kind: 'invalid'; readonly detail: string }

export type TargetKind = 'commit' | 'range' | 'id'

/** An end of a range: a hash, a branch, `main~3`. Nothing that a command could take for an option. */
const end = /^[A-Za-z0-9_][A-Za-z0-9_./@^~+-]*$/
/** Shorter prefixes hit by chance. */
const shortest = 7

/** @param as what the caller says it is; left out: whatever it looks like */
export function parseTarget(text: string, as?: TargetKind): Target {
  const dots = text.indexOf('..')
  if (dots >= 0 && as !== 'id' && as !== 'commit') {
    const [from, to] = [text.slice(0, dots), text.slice(dots + 2)]
    if (to.startsWith('.')) return invalid(`${text}: a range has two dots: ${from}..${to.slice(1)}`)
    if (end.test(from) && end.test(to)) return { kind: 'range', from, to }
    return invalid(`${text}: a range is written A..B, which is what B has and A has not`)
  }
  if (as === 'range') return invalid(`${text} is no range; write A..B`)
  const hex = /^[0-9a-f]+$/i.test(text) && text.length >= shortest && text.length <= 64 ? text.toLowerCase() : undefined
  const id = EpisodeId.safeParse(text).data
  const word = {
    ...(hex !== undefined && as !== 'id' && { prefix: hex }),
    ...(id !== undefined && as !== 'commit' && { id }),
  }
  if (Object.keys(word).length > 0) return { kind: 'word', ...word }
  if (as === 'commit') return invalid(`${text} is no commit: ${shortest} to 64 hexadecimal digits are expected`)
  return invalid(`${text} is no commit, no range A..B and no episode id`)
}

function invalid(detail: string): Target {
  return { kind: 'invalid', detail }
}

/** What the index holds of a word. */
export interface Found {
  /** Commits that begin with the prefix. */
  readonly commits: ReadonlySet<string>
  /** Hosts that have an episode of this id; undefined stands for old rows that name none. */
  readonly hosts: ReadonlySet<string | undefined>
}

export type Chosen =
  | { readonly kind: 'commit'; readonly commit: CommitSha }
  | { readonly kind: 'id'; readonly id: EpisodeId }
  | { readonly kind: 'unknown' | 'ambiguous'; readonly detail: string }

export function chooseTarget(
  text: string,
  { prefix, id }: Extract<Target, { kind: 'word' }>,
  { commits, hosts }: Found,
  host: HostName | undefined,
): Chosen {
  // A whole hash needs no row: an episode of it may still come.
  const whole = CommitSha.safeParse(prefix).data
  const isCommit = whole !== undefined || commits.size > 0
  const isId = id !== undefined && (host === undefined ? hosts.size > 0 : hosts.has(host))
  if (isCommit && isId) return { kind: 'ambiguous', detail: `${text} is a commit and an episode id: say --as commit or --as id` }
  if (isId) return chooseHost(id, hosts, host)
  if (whole !== undefined) return { kind: 'commit', commit: whole }
  if (commits.size > 1)
    return {
      kind: 'ambiguous',
      detail: `${text} begins ${commits.size} commits, write more of it: ${[...commits].slice(0, 5).join(' ')}`,
    }
  const [only] = commits
  if (only !== undefined) return { kind: 'commit', commit: CommitSha.parse(only) }
  const where = host === undefined ? 'no stored episode' : `no stored episode of ${host}`
  const short = prefix === undefined && /^[0-9a-f]+$/i.test(text) ? `; for a commit write at least ${shortest} digits of it` : ''
  const looked = [...(prefix === undefined ? [] : ['a commit that begins so']), ...(id === undefined ? [] : ['this id'])]
  return { kind: 'unknown', detail: `${text}: ${where} has ${looked.join(' or ')}${short}` }
}

function chooseHost(id: EpisodeId, hosts: ReadonlySet<string | undefined>, host: HostName | undefined): Chosen {
  if (host !== undefined || hosts.size === 1) return { kind: 'id', id }
  const names = [...hosts].map((name) => name ?? '(no host)').sort()
  return { kind: 'ambiguous', detail: `${names.length} hosts have ${id}, say --host: ${names.slice(0, 10).join(' ')}` }
}
