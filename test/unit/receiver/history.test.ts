import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VersionGateConfig } from '@cis490/receiver/forge/config.ts'
import { CommitHistory, type HistoryOptions } from '@cis490/receiver/forge/history.ts'
import { CommitSha } from '@cis490/shared/ids.ts'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { capturedLog } from '../../support/captured-log.ts'
import { TinyForgejo } from '../../support/forgejo.ts'
import { GitRepo } from '../../support/git-repo.ts'

const minute = 60_000
let stack: AsyncDisposableStack
let folder: string
let forge: TinyForgejo
let captured: ReturnType<typeof capturedLog>
/** The receiver's clock; nothing moves it but a test. */
let now: number

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  folder = mkdtempSync(join(tmpdir(), 'history-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  forge = stack.use(await TinyForgejo.start())
  captured = capturedLog()
  now = Date.parse('2026-11-21T12:00:00Z')
})
afterEach(() => stack.disposeAsync())

const config = (extra: object = {}) =>
  VersionGateConfig.parse({ refresh: '1h', forgejo_url: forge.url, repo_owner: 'spectral', repo_name: 'CIS490', ...extra })

/** A history that refreshes when a test says so. */
async function start(extra: object = {}, options: Partial<HistoryOptions> = {}): Promise<CommitHistory> {
  const history = await CommitHistory.start({
    config: config(extra),
    cachePath: join(folder, 'gate-cache.json'),
    log: captured.log,
    now: () => now,
    foundClone: join(folder, 'no-clone'),
    timeoutMs: 300,
    ...options,
  })
  return stack.use(history)
}

async function refresh(history: CommitHistory, times = 1): Promise<void> {
  for (let k = 0; k < times; k++) {
    now += 1000
    await history.refreshNow()
  }
}

const unknown = CommitSha.parse('e'.repeat(40))
const clone = () => new GitRepo(mkdtempSync(join(folder, 'clone-')))
/** The forge serves the commits of this clone. */
const serve = (repo: GitRepo) => {
  for (const sha of repo.log().reverse()) forge.pushCommit(sha)
}

describe('with a healthy forge', () => {
  it('has a whole window before start returns', async () => {
    forge.push(130)
    const history = await start({ window: 120 })
    expect(history.current()).toMatchObject({ source: 'api', fetchedAt: now, failures: 0 })
    expect(history.current().window?.commits).toEqual(forge.commits.slice(0, 120))
  })

  it('sees a new commit at the next refresh by itself', async () => {
    forge.push(3)
    const history = await start({ refresh: '50ms' })
    const head = forge.push()
    await vi.waitFor(() => expect(history.current().window?.head).toBe(head), { timeout: 10_000, interval: 5 })
    expect(history.current().window?.size).toBe(4)
  })

  it('asks for the pages only when the head moved, or after 10 minutes', async () => {
    forge.push(3)
    const history = await start()
    await refresh(history, 3)
    expect(forge.asked('/branches/')).toHaveLength(4)
    expect(forge.asked('/commits?')).toHaveLength(1)
    expect(history.current().fetchedAt).toBe(now)
    now += 10 * minute
    await refresh(history)
    expect(forge.asked('/commits?')).toHaveLength(2)
    forge.push()
    await refresh(history)
    expect(forge.asked('/commits?')).toHaveLength(3)
  })

  it('forces one early refresh for a stamp that was pushed a second ago', async () => {
    forge.push(3)
    const history = await start()
    const pushed = CommitSha.parse(forge.push())
    await history.refreshFor(pushed)
    expect(history.current().window?.position(pushed)).toBe(1)
  })

  it('forces no refresh for a stamp that it knows', async () => {
    forge.push(3)
    const history = await start()
    await history.refreshFor(CommitSha.parse(forge.commits[2]))
    expect(forge.asked('/branches/')).toHaveLength(1)
  })

  it('lets a flood of unknown stamps force one refresh a second', async () => {
    forge.push(3)
    const history = await start()
    await Promise.all(Array.from({ length: 20 }, () => history.refreshFor(unknown)))
    await history.refreshFor(unknown)
    expect(forge.asked('/branches/')).toHaveLength(2)
    now += 999
    await history.refreshFor(unknown)
    expect(forge.asked('/branches/')).toHaveLength(2)
    now += 1
    await history.refreshFor(unknown)
    expect(forge.asked('/branches/')).toHaveLength(3)
  })

  it('does not lose an announced push that came within the second', async () => {
    forge.push(3)
    const history = await start()
    await refresh(history)
    const head = forge.push()
    await history.refreshNow()
    await vi.waitFor(() => expect(history.current().window?.head).toBe(head), { timeout: 10_000, interval: 20 })
  })

  it('follows a branch that was rewritten', async () => {
    forge.push(3)
    const history = await start()
    forge.rewind(2)
    forge.push()
    await refresh(history)
    expect(history.current().window?.commits).toEqual(forge.commits)
    expect(forge.commits).toHaveLength(2)
  })
})

describe('when the forge fails', () => {
  it.each(['down', 'slow', 'garbage', 'error', 'redirect'] as const)('keeps its set and counts: %s', async (fault) => {
    forge.push(3)
    const history = await start()
    const before = history.current()
    forge.fault = fault
    await refresh(history, 2)
    expect(history.current()).toEqual({ ...before, failures: 2 })
    forge.fault = undefined
    const head = forge.push()
    await refresh(history)
    expect(history.current()).toMatchObject({ source: 'api', failures: 0 })
    expect(history.current().window?.head).toBe(head)
  })

  it('takes an empty list for a failure and keeps its set', async () => {
    forge.push(3)
    const history = await start()
    const before = history.current().window
    forge.push()
    forge.fault = 'empty'
    await refresh(history)
    expect(history.current()).toMatchObject({ failures: 1, source: 'api' })
    expect(history.current().window).toBe(before)
  })

  it('says so once, not at every refresh', async () => {
    forge.push(3)
    const history = await start()
    forge.fault = 'error'
    await refresh(history, 6)
    const reasons = captured.at('warn').map((line) => line['reason'])
    expect(reasons).toEqual([expect.stringContaining('answered 500'), 'no repo_path is configured and no clone was found'])
  })

  it('does not let an asker wait longer than the forge needs', async () => {
    forge.push(3)
    const history = await start()
    forge.fault = 'slow'
    await history.refreshFor(unknown)
    expect(history.current().failures).toBe(1)
  })

  it('is closed while a request hangs', async () => {
    forge.push(3)
    const history = await start({}, { timeoutMs: 60_000 })
    forge.fault = 'slow'
    now += 1000
    const hanging = history.refreshNow()
    await vi.waitFor(() => expect(forge.asked('/branches/')).toHaveLength(2), { interval: 5 })
    await history[Symbol.asyncDispose]()
    await hanging
    expect(captured.at('warn')).toEqual([])
  })
})

describe('the git fallback', () => {
  it('fires at the third failure when repo_path is set, and is logged', async () => {
    const repo = clone()
    repo.commit(4)
    serve(repo)
    const history = await start({ repo_path: repo.path })
    forge.fault = 'down'
    const head = repo.commit()
    await refresh(history, 2)
    expect(history.current().source).toBe('api')
    await refresh(history)
    expect(history.current()).toMatchObject({ source: 'git-fallback', failures: 3 })
    expect(history.current().window?.head).toBe(head)
    expect(captured.at('warn')).toContainEqual(expect.objectContaining({ source: 'git-fallback', event: 'gate-source', head }))
    forge.fault = undefined
    forge.pushCommit(head)
    await refresh(history)
    expect(history.current()).toMatchObject({ source: 'api', failures: 0 })
  })

  it('does not fire when no path is set and no clone is found', async () => {
    forge.push(3)
    const history = await start()
    forge.fault = 'down'
    await refresh(history, 5)
    expect(history.current()).toMatchObject({ source: 'api', failures: 5 })
  })

  it('does not take a clone that does not know the present head', async () => {
    const repo = clone()
    repo.commit(4)
    serve(repo)
    forge.push()
    const history = await start({ repo_path: repo.path })
    forge.fault = 'down'
    await refresh(history, 4)
    expect(history.current()).toMatchObject({ source: 'api', failures: 4 })
    expect(history.current().window?.size).toBe(5)
    expect(captured.at('warn')).toContainEqual(expect.objectContaining({ reason: expect.stringContaining('it is behind') }))
  })

  it('fires at once at a start without a set, also with a clone that was merely found', async () => {
    const repo = clone()
    repo.commit(4)
    forge.fault = 'down'
    const history = await start({}, { foundClone: repo.path })
    expect(history.current()).toMatchObject({ source: 'git-fallback', failures: 1 })
    expect(history.current().window?.commits).toEqual(repo.log())
  })

  it('fires when the forge tells an empty list at the start', async () => {
    const repo = clone()
    repo.commit(2)
    serve(repo)
    forge.fault = 'empty'
    const history = await start({ repo_path: repo.path })
    expect(history.current()).toMatchObject({ source: 'git-fallback', failures: 1 })
  })
})

describe('without a forge in the configuration', () => {
  it('git is the source, and its new commits are seen', async () => {
    const repo = clone()
    repo.commit(4)
    const history = await start({ forgejo_url: '', repo_path: repo.path, window: 3 })
    expect(history.current()).toMatchObject({ source: 'git', failures: 0 })
    expect(history.current().window?.commits).toEqual(repo.log().slice(0, 3))
    const head = repo.commit()
    await refresh(history)
    expect(history.current().window?.head).toBe(head)
  })

  it('starts git only where the clone has changed, or after 10 minutes', async () => {
    const repo = clone()
    repo.commit(4)
    const history = await start({ forgejo_url: '', repo_path: repo.path })
    vi.stubEnv('PATH', folder)
    stack.defer(() => void vi.unstubAllEnvs())
    await refresh(history, 3)
    expect(history.current()).toMatchObject({ source: 'git', failures: 0, fetchedAt: now })
    now += 10 * minute
    await refresh(history)
    expect(history.current().failures).toBe(1)
    vi.unstubAllEnvs()
    await refresh(history)
    expect(history.current().failures).toBe(0)
    repo.commit()
    vi.stubEnv('PATH', folder)
    await refresh(history)
    expect(history.current().failures).toBe(1)
  })

  it.each<[string, (repo: GitRepo) => void]>([
    ['a commit', (repo) => repo.commit()],
    ['a branch that is set back', (repo) => repo.run('reset', '--hard', '--quiet', 'HEAD~2')],
    ['an update of names that are packed', (repo) => repo.run('update-ref', 'refs/heads/main', `${repo.log()[1]}`)],
    ['names that are packed with another head', (repo) => [repo.commit(), repo.run('pack-refs', '--all')]],
    ['a branch that is taken away beside its remote copy', (repo) => repo.run('update-ref', '-d', 'refs/heads/main')],
    ['a name that stands for another', (repo) => repo.run('symbolic-ref', 'refs/heads/main', 'refs/heads/old')],
  ])('git sees %s', async (_what, change) => {
    const repo = clone()
    const old = repo.commit(2)
    repo.run('update-ref', 'refs/heads/old', old)
    repo.commit(4)
    repo.run('update-ref', 'refs/remotes/origin/main', old)
    repo.run('pack-refs', '--all')
    const history = await start({ forgejo_url: '', repo_path: repo.path })
    await refresh(history)
    const before = history.current().window?.head
    change(repo)
    await refresh(history)
    const { commits } = history.current().window ?? {}
    expect(commits?.[0]).not.toBe(before)
    const ref = repo.run('for-each-ref', 'refs/heads/main') === '' ? 'refs/remotes/origin/main' : 'refs/heads/main'
    expect(commits).toEqual(repo.log(ref))
  })

  it('git sees the remote copy move where there is no branch', async () => {
    const repo = new GitRepo(mkdtempSync(join(folder, 'clone-')), 'work')
    repo.run('update-ref', 'refs/remotes/origin/main', repo.commit())
    const history = await start({ forgejo_url: '', repo_path: repo.path })
    const head = repo.commit()
    repo.run('update-ref', 'refs/remotes/origin/main', head)
    await refresh(history)
    expect(history.current().window?.head).toBe(head)
  })

  it('git sees a branch move that another name stands for', async () => {
    const repo = clone()
    repo.commit(2)
    repo.run('branch', '-m', 'main', 'trunk')
    repo.run('symbolic-ref', 'refs/heads/main', 'refs/heads/trunk')
    const history = await start({ forgejo_url: '', repo_path: repo.path })
    const head = repo.commit()
    await refresh(history)
    expect(history.current().window?.head).toBe(head)
  })

  it('git sees what HEAD follows in a clone that has no such branch', async () => {
    const repo = new GitRepo(mkdtempSync(join(folder, 'clone-')), 'trunk')
    repo.commit(2)
    const history = await start({ forgejo_url: '', repo_path: repo.path })
    const head = repo.commit()
    await refresh(history)
    expect(history.current().window?.head).toBe(head)
  })

  it('git sees the commits of a shallow clone that is deepened', async () => {
    const origin = clone()
    origin.commit(5)
    const path = join(folder, 'shallow')
    origin.run('clone', '--quiet', '--depth', '2', `file://${origin.path}`, path)
    const history = await start({ forgejo_url: '', repo_path: path })
    expect(history.current().window?.size).toBe(2)
    origin.run('-C', path, 'fetch', '--quiet', '--depth', '4')
    await refresh(history)
    expect(history.current().window?.commits).toEqual(origin.log().slice(0, 4))
  })

  it('git sees a commit in a worktree, whose names are in another folder', async () => {
    const repo = clone()
    repo.commit(2)
    const path = join(folder, 'worktree')
    repo.run('worktree', 'add', '--quiet', '--detach', path)
    for (const repo_path of [path, join(repo.path, '.git/worktrees/worktree')]) {
      const history = await start({ forgejo_url: '', repo_path })
      const head = repo.commit()
      await refresh(history)
      expect(history.current().window?.head).toBe(head)
    }
  })

  it('keeps its set when the clone goes away', async () => {
    const repo = clone()
    repo.commit(4)
    const history = await start({ forgejo_url: '', repo_path: repo.path })
    repo.run('update-ref', '-d', 'refs/heads/main')
    await refresh(history, 4)
    expect(history.current()).toMatchObject({ source: 'git', failures: 4 })
    expect(history.current().window?.size).toBe(4)
  })
})

describe('the set on disk', () => {
  const file = () => join(folder, 'gate-cache.json')

  it('survives a restart while the forge is down', async () => {
    forge.push(130)
    const first = await start({ window: 120 })
    const before = first.current()
    await first[Symbol.asyncDispose]()
    forge.fault = 'down'
    now += 7 * minute
    const second = await start({ window: 120 })
    expect(second.current()).toMatchObject({ source: 'disk-cache', fetchedAt: before.fetchedAt, failures: 1 })
    expect(second.current().window?.commits).toEqual(before.window?.commits)
    expect(captured.at('warn')).toContainEqual(expect.objectContaining({ source: 'disk-cache', age_s: 420 }))
    forge.fault = undefined
    await refresh(second)
    expect(second.current()).toMatchObject({ source: 'api', failures: 0 })
  })

  it('comes after git', async () => {
    const repo = clone()
    repo.commit(4)
    serve(repo)
    await (await start())[Symbol.asyncDispose]()
    forge.fault = 'down'
    expect((await start({ repo_path: repo.path })).current().source).toBe('git-fallback')
  })

  it('is written anew when the head moves', async () => {
    forge.push(3)
    const history = await start()
    const head = forge.push()
    await refresh(history)
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toMatchObject({ branch: 'main', commits: [head, ...forge.commits.slice(1)] })
  })

  it.each([
    ['garbage', () => 'no json', {}],
    ['an empty list', (text: string) => text.replace(/"commits":\[.*\]/, '"commits":[]'), {}],
    ['of another branch', (text: string) => text, { branch: 'release' }],
    ['of another repository', (text: string) => text, { repo_name: 'other' }],
    ['too short for the window of today', (text: string) => text, { window: 200 }],
  ])('is not used when it is %s', async (_case, edit, change) => {
    forge.push(130)
    await (await start())[Symbol.asyncDispose]()
    writeFileSync(file(), edit(readFileSync(file(), 'utf8')))
    forge.fault = 'down'
    expect((await start(change)).current()).toEqual({ failures: 1 })
  })

  it('serves a smaller window too', async () => {
    forge.push(130)
    await (await start())[Symbol.asyncDispose]()
    forge.fault = 'down'
    expect((await start({ window: 10 })).current().window?.commits).toEqual(forge.commits.slice(0, 10))
  })
})

it('has nothing at a cold start without forge, git and file, until the forge is back', async () => {
  forge.push(3)
  forge.fault = 'down'
  const history = await start()
  expect(history.current()).toEqual({ failures: 1 })
  forge.fault = undefined
  await refresh(history)
  expect(history.current()).toMatchObject({ source: 'api', failures: 0 })
})
