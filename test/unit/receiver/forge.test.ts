import { createHmac } from 'node:crypto'
import { chownSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VersionGateConfig } from '@cis490/receiver/forge/config.ts'
import { Forgejo } from '@cis490/receiver/forge/forgejo.ts'
import { gitCommits } from '@cis490/receiver/forge/git-log.ts'
import { signatureIsValid } from '@cis490/receiver/forge/webhook.ts'
import { afterAll, describe, expect, it } from 'vitest'
import { type Fault, TinyForgejo, type TinyForgejoOptions } from '../../support/forgejo.ts'
import { GitRepo } from '../../support/git-repo.ts'

async function pair(options: TinyForgejoOptions & { secret?: string } = {}) {
  const forge = await TinyForgejo.start(options)
  const { url, owner, name, branch } = forge
  const client = new Forgejo({
    url: `${url}/`,
    owner,
    name,
    branch,
    timeoutMs: 300,
    ...(options.secret ? { token: options.secret } : {}),
  })
  const stack = new AsyncDisposableStack()
  stack.use(forge)
  stack.use(client)
  return { forge, client, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

describe('the client of the forge', () => {
  it.each([
    ['with X-HasMore', {}, 3],
    ['where a proxy takes X-HasMore away', { hasMoreHeader: false }, 3],
    ['where the administrator set a cap of 30', { pageCap: 30 }, 4],
    ['where both are so', { pageCap: 30, hasMoreHeader: false }, 4],
  ])('pages over the cap to 120 commits %s', async (_case, options, pages) => {
    await using it = await pair(options)
    it.forge.push(130)
    const head = await it.client.branchHead()
    expect(await it.client.commits(head, 120)).toEqual(it.forge.commits.slice(0, 120))
    expect(it.forge.asked('/commits?')).toHaveLength(pages)
  })

  it.each([{ hasMoreHeader: true }, { hasMoreHeader: false }])('stops where a young branch ends: %o', async (options) => {
    await using it = await pair(options)
    it.forge.push(41)
    expect(await it.client.commits(await it.client.branchHead(), 100)).toEqual(it.forge.commits)
  })

  it('gets the list of the head that it was told, also when somebody pushes in between', async () => {
    await using it = await pair()
    it.forge.push(70)
    const head = await it.client.branchHead()
    const before = it.forge.commits
    it.forge.push()
    expect(await it.client.commits(head, 100)).toEqual(before)
    expect(it.forge.asked(`sha=${head}&stat=false&verification=false&files=false`)).toHaveLength(2)
  })

  it('asks for a branch whose name has a slash', async () => {
    await using it = await pair({ branch: 'release/1.2' })
    const head = it.forge.push()
    expect(await it.client.branchHead()).toBe(head)
  })

  it('sends its token, and says so when the forge wants another', async () => {
    await using right = await pair({ token: 'opensesame', secret: 'opensesame' })
    const head = right.forge.push()
    expect(await right.client.branchHead()).toBe(head)
    await using wrong = await pair({ token: 'opensesame', secret: 'guess' })
    wrong.forge.push()
    await expect(wrong.client.branchHead()).rejects.toThrow('401')
  })

  it.each<[Fault, RegExp]>([
    ['down', /closed|reset/i],
    ['slow', /timeout/i],
    ['garbage', /not what a forge sends/],
    ['error', /answered 500/],
    ['redirect', /answered 302/],
    ['huge', /larger than 8 MiB/],
  ])('fails with a reason when the forge is %s', async (fault, reason) => {
    await using it = await pair()
    it.forge.push()
    it.forge.fault = fault
    await expect(it.client.branchHead()).rejects.toThrow(reason)
    expect(it.forge.asked('/elsewhere')).toEqual([])
  })

  it('takes an empty list for a failure', async () => {
    await using it = await pair()
    it.forge.push()
    const head = await it.client.branchHead()
    it.forge.fault = 'empty'
    await expect(it.client.commits(head, 100)).rejects.toThrow('empty')
  })

  it('fails on an empty repository and on one that is not there', async () => {
    await using it = await pair()
    await expect(it.client.branchHead()).rejects.toThrow('404')
    await using stranger = new Forgejo({ url: it.forge.url, owner: 'nobody', name: 'x', branch: 'main' })
    await expect(stranger.branchHead()).rejects.toThrow('404')
  })
})

describe('commits from a clone', () => {
  const all = mkdtempSync(join(tmpdir(), 'clones-'))
  afterAll(() => rmSync(all, { recursive: true }))
  const folder = () => mkdtempSync(join(all, 'clone-'))

  it('gives the newest N of the branch, whatever is checked out', async () => {
    const repo = new GitRepo(folder())
    repo.commit(5)
    const main = repo.log()
    repo.run('checkout', '--quiet', '-b', 'experiment')
    repo.commit()
    expect(await gitCommits({ path: repo.path, configured: false }, 'main', 3)).toEqual({
      commits: main.slice(0, 3),
      ref: 'refs/heads/main',
    })
  })

  it('takes the copy of the remote branch where there is no local one', async () => {
    const repo = new GitRepo(folder(), 'work')
    const head = repo.commit()
    repo.run('update-ref', 'refs/remotes/origin/main', head)
    expect(await gitCommits({ path: repo.path, configured: false }, 'main', 3)).toMatchObject({ ref: 'refs/remotes/origin/main' })
  })

  it('takes HEAD only in a clone that somebody named', async () => {
    const repo = new GitRepo(folder(), 'trunk')
    const head = repo.commit()
    expect(await gitCommits({ path: repo.path, configured: true }, 'main', 3)).toEqual({ commits: [head], ref: 'HEAD' })
    await expect(gitCommits({ path: repo.path, configured: false }, 'main', 3)).rejects.toThrow('has no branch main')
  })

  it.skipIf(process.getuid?.() !== 0)('reads a clone of another owner, by a link too', async () => {
    const repo = new GitRepo(folder())
    const head = repo.commit()
    for (const path of [repo.path, join(repo.path, '.git')]) chownSync(path, 1234, 1234)
    const link = join(folder(), 'link')
    symlinkSync(repo.path, link)
    for (const path of [repo.path, `${repo.path}/`, join(repo.path, '.git'), link])
      expect(await gitCommits({ path, configured: true }, 'main', 3)).toMatchObject({ commits: [head] })
  })

  it('fails in a folder that is no clone, and in a clone without a commit', async () => {
    await expect(gitCommits({ path: folder(), configured: true }, 'main', 3)).rejects.toThrow(/^fatal: not a git repository/)
    await expect(gitCommits({ path: new GitRepo(folder()).path, configured: true }, 'main', 3)).rejects.toThrow(
      'has no branch main',
    )
  })
})

describe('the signature of a push event', () => {
  const body = Buffer.from('{"ref":"refs/heads/main"}')
  const signature = createHmac('sha256', 'secret').update(body).digest('hex')
  it.each<[string, boolean, Buffer, string | undefined, string]>([
    ['is valid over the raw body', true, body, signature, 'secret'],
    ['is valid in capitals', true, body, signature.toUpperCase(), 'secret'],
    ['is not valid over another body', false, Buffer.from('{}'), signature, 'secret'],
    ['is not valid with another secret', false, body, signature, 'other'],
    ['is not valid when missing', false, body, undefined, 'secret'],
    ['is not valid when empty', false, body, '', 'secret'],
    ['is not valid when cut', false, body, signature.slice(0, 62), 'secret'],
    ['is not valid when it is no hex', false, body, 'z'.repeat(64), 'secret'],
    ['is never valid without a secret', false, body, createHmac('sha256', '').update(body).digest('hex'), ''],
  ])('%s', (_sentence, expected, raw, given, secret) => {
    expect(signatureIsValid(raw, given, secret)).toBe(expected)
  })
})

describe('[version_gate]', () => {
  const parse = (config: object) => VersionGateConfig.safeParse(config)
  it.each([
    ['is enforce by default', {}, 'enforce'],
    ['is enforce when enabled', { enabled: true }, 'enforce'],
    ['is off when disabled', { enabled: false }, 'off'],
    ['is what the mode says', { enabled: true, mode: 'observe' }, 'observe'],
    ['is off when disabled in spite of a mode', { enabled: false, mode: 'enforce' }, 'off'],
  ])('%s', (_sentence, config, mode) => expect(parse(config).data?.mode).toBe(mode))

  it('has the defaults of the contract', () =>
    expect(parse({}).data).toMatchObject({
      window: 100,
      refresh: 5000,
      branch: 'main',
      forgejo_url: '',
      remediation_checkout: '/opt/cis490',
    }))

  it.each([
    ['an unknown key', { windw: 3 }],
    ['no window', { window: 0 }],
    ['a window that no forge can list', { window: 10_001 }],
    ['a forge without a repository', { forgejo_url: 'http://127.0.0.1:3000' }],
    ['an address that is none', { forgejo_url: 'forge', repo_owner: 'o', repo_name: 'n' }],
    ['a password in the address', { forgejo_url: 'http://u:p@forge', repo_owner: 'o', repo_name: 'n' }],
    ['a branch that a shell would read', { branch: 'main; rm' }],
    ['a branch that looks like an option', { branch: '--all' }],
    ['a refresh that would be a flood', { refresh: '1ms' }],
  ])('refuses %s', (_sentence, config) => expect(parse(config).success).toBe(false))
})
