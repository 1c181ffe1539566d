import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Receipt } from '@cis490/shared/receipt.ts'
import { TaintRow } from '@cis490/shared/taint.ts'
import { beforeAll, describe, expect, test } from 'vitest'
import { EffectCount, shouldWrite } from '../../../packages/receiver/src/core/taint-effect.ts'
import { chooseTarget, parseTarget, type Target } from '../../../packages/receiver/src/core/taint-target.ts'
import { commitRange } from '../../../packages/receiver/src/forge/commit-range.ts'
import { VersionGateConfig } from '../../../packages/receiver/src/forge/config.ts'
import { IndexLog } from '../../../packages/receiver/src/store/index-log.ts'
import { readTaints } from '../../../packages/receiver/src/store/taints.ts'
import { TinyForgejo } from '../../support/forgejo.ts'
import { GitRepo } from '../../support/git-repo.ts'
import { Program } from '../../support/program.ts'
import { scratchDir } from '../../support/scratch.ts'
import { TestStore } from '../../support/store.ts'

const sha = (digit: string) => digit.repeat(40)

describe('the argument', () => {
  test.each<[string, Target]>([
    ['v1..main', { kind: 'range', from: 'v1', to: 'main' }],
    ['main~3..0123abc', { kind: 'range', from: 'main~3', to: '0123abc' }],
    [sha('A'), { kind: 'word', prefix: sha('a'), id: sha('A') as never }],
    ['abcdef1', { kind: 'word', prefix: 'abcdef1', id: 'abcdef1' as never }],
    ['abcdef', { kind: 'word', id: 'abcdef' as never }],
    ['run-2026', { kind: 'word', id: 'run-2026' as never }],
  ])('%s', (text, target) => expect(parseTarget(text)).toEqual(target))

  test.each([
    ['a...b', 'a range has two dots: a..b'],
    ['..b', 'a range is written A..B'],
    ['a..', 'a range is written A..B'],
    ['--all..b', 'a range is written A..B'],
    ['a..b;id', 'a range is written A..B'],
    ['a b', 'no commit, no range A..B and no episode id'],
    ['-x', 'no commit, no range A..B and no episode id'],
  ])('%j means nothing', (text, detail) => {
    expect(parseTarget(text)).toMatchObject({ kind: 'invalid', detail: expect.stringContaining(detail) })
  })

  test('is taken for what the caller says', () => {
    expect(parseTarget('abcdef1', 'id')).toEqual({ kind: 'word', id: 'abcdef1' })
    expect(parseTarget('abcdef1', 'commit')).toEqual({ kind: 'word', prefix: 'abcdef1' })
    expect(parseTarget('abc', 'commit')).toMatchObject({ kind: 'invalid' })
    expect(parseTarget('run-1', 'range')).toMatchObject({ kind: 'invalid' })
  })
})

describe('a word', () => {
  const choose = (text: string, commits: string[], hosts: (string | undefined)[], host?: string) =>
    chooseTarget(text, parseTarget(text) as never, { commits: new Set(commits), hosts: new Set(hosts) }, host as never)
  test('is the one commit that begins so', () => {
    expect(choose('aaaaaaa', [sha('a')], [])).toEqual({ kind: 'commit', commit: sha('a') })
    expect(choose('aaaaaaa', [sha('a'), `aaaaaaa${sha('b').slice(7)}`], [])).toMatchObject({ kind: 'ambiguous' })
  })
  test('is a commit also where no episode has it yet, if it is whole', () => {
    expect(choose(sha('a'), [], [])).toEqual({ kind: 'commit', commit: sha('a') })
    expect(choose('aaaaaaa', [], [])).toMatchObject({ kind: 'unknown' })
    expect(choose('734d', [], [])).toMatchObject({
      kind: 'unknown',
      detail: '734d: no stored episode has this id; for a commit write at least 7 digits of it',
    })
  })
  test('is the id of an episode, of one host', () => {
    expect(choose('run-1', [], ['lab-07'])).toEqual({ kind: 'id', id: 'run-1' })
    expect(choose('run-1', [], [undefined])).toEqual({ kind: 'id', id: 'run-1' })
    expect(choose('run-1', [], ['lab-08', 'lab-07'])).toMatchObject({ detail: expect.stringContaining('lab-07 lab-08') })
    expect(choose('run-1', [], ['lab-08', 'lab-07'], 'lab-07')).toEqual({ kind: 'id', id: 'run-1' })
    expect(choose('run-1', [], ['lab-08'], 'lab-07')).toMatchObject({ kind: 'unknown' })
  })
  test('that is a commit and an id has to be told apart', () => {
    expect(choose('abcdef1', [`abcdef1${sha('0').slice(7)}`], ['lab-07'])).toMatchObject({ kind: 'ambiguous' })
    expect(choose(sha('a'), [], ['lab-07'])).toMatchObject({ detail: expect.stringContaining('--as commit or --as id') })
  })
})

describe('a statement is written', () => {
  const row = (rest: object) =>
    TaintRow.parse({
      at: 'now',
      kind: 'commit',
      value: 'a',
      commits: [sha('a')],
      state: 'tainted',
      reason: 'bad',
      by: 'kim',
      ...rest,
    })
  const verdict = (said: TaintRow[], added: TaintRow, ...episodes: string[]) => {
    const count = new EffectCount(said, added)
    for (const commit of episodes) count.look({ id: 'x', host: 'lab-07', commit })
    return shouldWrite(said, added, count.effect)
  }
  test('when it changes something, or is new, or has another reason', () => {
    expect(verdict([], row({}), sha('a'))).toBe('write')
    expect(verdict([], row({}))).toBe('write')
    expect(verdict([row({})], row({ reason: 'worse' }), sha('a'))).toBe('write')
  })
  test('once, not again', () => expect(verdict([row({})], row({}), sha('a'))).toBe('said-already'))
  test('when it takes back what holds, also for episodes that are still to come', () => {
    const undo = row({ state: 'cleared', reason: 'checked' })
    expect(verdict([row({})], undo, sha('a'))).toBe('write')
    expect(verdict([row({})], undo)).toBe('write')
    expect(verdict([row({ kind: 'range', value: 'x..y', commits: [sha('b'), sha('a')] })], undo)).toBe('write')
  })
  test('but not when there is nothing to take back', () => {
    const undo = row({ state: 'cleared', reason: 'checked' })
    expect(verdict([], undo, sha('a'))).toBe('nothing-to-undo')
    expect(verdict([row({}), undo], { ...undo, reason: 'twice' }, sha('a'))).toBe('nothing-to-undo')
    expect(verdict([row({ host: 'lab-09' })], row({ ...undo, host: 'lab-07' }), sha('a'))).toBe('nothing-to-undo')
  })
})

describe('a range', () => {
  const config = (rest: object) => VersionGateConfig.parse(rest)
  test('is what the clone says lies between', async () => {
    const repo = new GitRepo(join(scratchDir(), 'history'))
    repo.commit(5)
    const [head, second, third, fourth] = repo.log() as [string, string, string, string]
    const gate = config({ repo_path: repo.path })
    expect(await commitRange(gate, { from: fourth, to: head })).toEqual({ commits: [head, second, third], source: 'git' })
    expect((await commitRange(gate, { from: 'main~2', to: 'main' })).commits).toEqual([head, second])
    expect((await commitRange(gate, { from: head, to: fourth })).commits).toEqual([])
    await expect(commitRange(gate, { from: 'nosuch', to: 'main' })).rejects.toThrow('knows no commit nosuch')
  })
  test('is what the forge says, and the clone only while the forge cannot tell', async () => {
    await using forge = await TinyForgejo.start()
    forge.push(4)
    const [head, second, third] = forge.commits as [string, string, string]
    const repo = new GitRepo(join(scratchDir(), 'history'))
    repo.commit(3)
    const gate = config({ forgejo_url: forge.url, repo_owner: forge.owner, repo_name: forge.name, repo_path: repo.path })
    expect(await commitRange(gate, { from: third, to: head })).toEqual({ commits: [head, second], source: 'api' })
    forge.fault = 'down'
    expect((await commitRange(gate, { from: 'main~1', to: 'main' })).source).toBe('git')
    await expect(commitRange(gate, { from: third, to: head })).rejects.toThrow(/^the forge: .*; git: .*knows no commit/)
  })
  test('that the forge does not tell whole is no range', async () => {
    await using forge = await TinyForgejo.start({ pageCap: 2 })
    forge.push(5)
    const gate = config({ forgejo_url: forge.url, repo_owner: forge.owner, repo_name: forge.name })
    const range = { from: forge.commits[4] as string, to: forge.commits[0] as string }
    await expect(commitRange(gate, range, '/nowhere')).rejects.toThrow('told only 2 of the 4 commits')
  })
  test('needs a source', async () => {
    await expect(commitRange(config({}), { from: 'a', to: 'b' }, '/nowhere')).rejects.toThrow(
      'neither version_gate.forgejo_url nor',
    )
  })
})

describe('the command', { timeout: 180_000 }, () => {
  let repo: GitRepo
  let commits: [string, string, string]
  beforeAll(() => {
    const root = mkdtempSync(join(tmpdir(), 'cis490-taint-'))
    repo = new GitRepo(join(root, 'history'))
    repo.commit(3)
    commits = repo.log() as typeof commits
    return () => rmSync(root, { recursive: true })
  })

  /** Two hosts, an episode a commit each; run-1 is on both. */
  async function makeStore(): Promise<TestStore> {
    const store = new TestStore()
    await using index = await IndexLog.open(store.layout.index)
    for (const [k, host] of ['lab-07', 'lab-08'].entries())
      for (const [n, commit] of commits.entries())
        await index.append(
          Receipt.parse({
            ...store.key(n === 0 ? 'run-1' : `run-${k}${n}`, host),
            sha256: 'a'.repeat(64),
            bytes: 1,
            commit,
            received_at: '2026-11-21T10:00:00.000Z',
          }),
        )
    const text = readFileSync(store.config, 'utf8')
    writeFileSync(store.config, `${text}repo_path = "${repo.path}"\n`)
    return store
  }

  test('writes one row, says what it touched, and leaves the index as it is', async () => {
    const store = await makeStore()
    const before = store.indexText()
    const run = await store.run('taint', commits[0].slice(0, 10), '--reason', 'clock\u001b drift', '--by', 'kim')
    expect(run).toMatchObject({ code: 0, stderr: '' })
    expect(run.stdout).toBe(
      `tainted: commit ${commits[0]}: clock drift\n2 stored episodes (lab-07 1, lab-08 1), 2 newly tainted\n` +
        'new episodes of this commit still come in: see version_gate.deny_file\n',
    )
    const { rows } = await readTaints(store.layout)
    expect(rows).toEqual([
      {
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        ...{ kind: 'commit', value: commits[0], commits: [commits[0]], state: 'tainted', reason: 'clock drift', by: 'kim' },
      },
    ])
    expect(store.indexText()).toBe(before)
    const again = await store.run('taint', commits[0], '--reason', 'clock drift')
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('already, for this reason; nothing written') })
    expect((await readTaints(store.layout)).rows).toHaveLength(1)
  })

  test('writes the commits of a range, and takes back a single episode of it', async () => {
    const store = await makeStore()
    const range = `${commits[2]}..main`
    const { stdout } = await store.run('taint', range, '--reason', 'bad lens', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ written: true, verdict: 'write', episodes: 4, changed: 4, hosts: { 'lab-07': 2, 'lab-08': 2 } },
      row: { kind: 'range', value: range, commits: [commits[0], commits[1]] },
    })
    const undo = await store.run('taint', 'run-1', '--host', 'lab-08', '--undo', '--reason', 'looked at it')
    expect(undo.stdout).toBe('cleared: id run-1 of lab-08: looked at it\n1 stored episode (lab-08 1), 1 no longer tainted\n')
    const { taints } = await readTaints(store.layout)
    expect([...['lab-07', 'lab-08']].map((host) => taints.of({ id: 'run-1', host, commit: commits[0] })?.reason)).toEqual([
      'bad lens',
      undefined,
    ])
  })

  test('says what it would do and writes nothing', async () => {
    const store = await makeStore()
    const { code, stdout } = await store.run('taint', commits[1], '--reason', 'x', '--dry-run', '--host', 'LAB-07')
    expect(code).toBe(0)
    expect(stdout).toBe(`would be tainted: commit ${commits[1]} of lab-07: x\n1 stored episode (lab-07 1), 1 newly tainted\n`)
    expect((await readTaints(store.layout)).rows).toEqual([])
  })

  test.each([
    ['an id that nobody has', ['run-9'], 1, 'run-9: no stored episode has this id'],
    ['an id of two hosts', ['run-1'], 2, '2 hosts have run-1, say --host: lab-07 lab-08'],
    ['what is not tainted', ['run-01', '--undo'], 1, ''],
    ['a range the wrong way round', ['main..main~1'], 2, 'has no commits'],
    ['a range that git does not know', ['main..nosuch'], 3, 'cannot tell which commits main..nosuch has: git: '],
  ])('refuses %s in one line', async (_case, args, code, line) => {
    const store = await makeStore()
    const run = await store.run('taint', '--reason', 'x', ...args)
    expect(run.code).toBe(code)
    expect(run.stderr.split('\n').length).toBeLessThanOrEqual(2)
    expect(run.stderr).toContain(line)
    expect((await readTaints(store.layout)).rows).toEqual([])
  })

  test('works beside a running receiver, and is not two at a time', async () => {
    const store = await makeStore()
    await using receiver = new Program('receiver', ['serve', '--config', store.config])
    await receiver.line({ event: 'listening', listener: 'ops' })
    const runs = await Promise.all(['a', 'b', 'c'].map((reason) => store.run('taint', 'run-01', '--reason', reason)))
    const { rows } = await readTaints(store.layout)
    expect(rows).toHaveLength(runs.filter(({ code }) => code === 0).length)
    expect(rows.length).toBeGreaterThan(0)
    for (const { code, stderr } of runs)
      if (code !== 0) expect([code, stderr]).toEqual([3, expect.stringContaining('writing taints')])
  })
})
