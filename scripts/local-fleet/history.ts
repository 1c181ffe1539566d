/** The commits that the gate knows: this checkout's own, or a small history where there is none. */
import { join } from 'node:path'
import { CommitSha } from '@cis490/shared/ids.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { git } from '@cis490/shared/node/git.ts'

export interface History {
  readonly path: string
  readonly branch: string
  readonly head: CommitSha
  readonly dirty: boolean
  /** Made for the occasion, because the checkout has no history. */
  readonly made: boolean
}

const usableBranch = /^[A-Za-z0-9_][A-Za-z0-9._/+-]*$/

/** @param dir where a history may be made */
export async function findHistory(checkout: string, dir: string): Promise<History> {
  const head = await headOf(checkout)
  if (!head) return smallHistory(dir)
  const dirty = (await git(checkout, ['status', '--porcelain']).catch(() => '')) !== ''
  const branch = await git(checkout, ['symbolic-ref', '--quiet', '--short', 'HEAD']).then(
    (text) => text.trim(),
    () => '',
  )
  if (usableBranch.test(branch)) return { path: checkout, branch, head, dirty, made: false }
  return { path: await cloneAt(checkout, head, dir), branch: 'main', head, dirty, made: false }
}

async function headOf(repo: string): Promise<CommitSha | undefined> {
  const inside = await git(repo, ['rev-parse', '--show-toplevel', 'HEAD']).catch(() => '')
  const [top, head] = inside.trim().split('\n')
  // A checkout without .git below somebody else's repository is no history of ours.
  return top === repo ? CommitSha.parse(head) : undefined
}

/** A detached HEAD has no branch that the gate could watch: a clone gets one. */
async function cloneAt(checkout: string, head: CommitSha, dir: string): Promise<string> {
  const path = join(dir, 'history')
  await makeDir(path)
  await git(path, ['init', '--quiet', '--bare', '--initial-branch=main'])
  await git(
    path,
    ['fetch', '--quiet', '--update-shallow', '--depth=100', `file://${checkout}`, `${head}:refs/heads/main`],
    60_000,
  )
  return path
}

async function smallHistory(dir: string): Promise<History> {
  const path = join(dir, 'history')
  await makeDir(path)
  await git(path, ['init', '--quiet', '--initial-branch=main'])
  const who = ['-c', 'user.name=cis490 demo', '-c', 'user.email=demo@cis490.invalid', '-c', 'commit.gpgsign=false']
  for (const subject of ['Record telemetry', 'Record pressure too', 'Mend the sampling interval'])
    await git(path, [...who, 'commit', '--quiet', '--allow-empty', '-m', subject])
  const head = CommitSha.parse((await git(path, ['rev-parse', 'HEAD'])).trim())
  return { path, branch: 'main', head, dirty: false, made: true }
}
