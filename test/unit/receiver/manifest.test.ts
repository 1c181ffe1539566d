import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { IndexRow } from '@cis490/shared/receipt.ts'
import { TaintRow } from '@cis490/shared/taint.ts'
import { describe, expect, test } from 'vitest'
import { entryOf, ManifestEntry } from '../../../packages/receiver/src/core/manifest.ts'
import { judgeEntry } from '../../../packages/receiver/src/core/manifest-findings.ts'
import { appendTaint } from '../../../packages/receiver/src/store/taints.ts'
import { Program } from '../../support/program.ts'
import { storedCommit, TestStore } from '../../support/store.ts'

const row = IndexRow.parse({ id: 'a', host: 'lab-07', sha256: 'a'.repeat(64), bytes: 1, commit: storedCommit })
const nothing = { tainted: false, pruned: false }

describe('an entry', () => {
  test('says what to read and what it has to be', () => {
    expect(entryOf({ ...row, seq: 1, note: 'x' }, nothing)).toEqual({
      ...{ id: 'a', sha256: 'a'.repeat(64), bytes: 1, host: 'lab-07', commit: storedCommit },
    })
  })
  test.each([
    ['tainted', row, { tainted: true, pruned: true }],
    ['pruned', row, { tainted: false, pruned: true }],
    ['incomplete', { ...row, host: undefined }, nothing],
    ['incomplete', { ...row, sha256: undefined }, nothing],
    ['incomplete', { ...row, bytes: undefined }, nothing],
  ])('is left out as %s', (why, of, is) => expect(entryOf(of as IndexRow, is)).toBe(why))
  test('an old row without a commit has an entry', () => {
    expect(entryOf({ ...row, commit: null }, nothing)).not.toHaveProperty('commit')
  })
})

test('of an entry everything that no longer holds is told', () => {
  const entry = ManifestEntry.parse({ ...row, path: 'p' })
  const good = { path: 'p', size: 1, sha256: undefined, tainted: undefined, pruned: undefined }
  const kinds = (facts: object) => judgeEntry(entry, { ...good, ...facts }).map(({ kind }) => kind)
  expect(kinds({})).toEqual([])
  expect(kinds({ sha256: 'a'.repeat(64) })).toEqual([])
  expect(kinds({ sha256: 'b'.repeat(64) })).toEqual(['wrong-hash'])
  expect(kinds({ size: 2 })).toEqual(['wrong-size'])
  expect(kinds({ size: undefined })).toEqual(['missing'])
  expect(kinds({ size: undefined, pruned: { at: 'now', reason: 'old' } })).toEqual(['pruned'])
  expect(kinds({ tainted: { reason: 'bad', at: 'now', by: 'kim' }, path: 'q' })).toEqual(['tainted', 'wrong-path'])
})

// Each run of a command is a process of its own: on a busy machine they take their time.
describe('the commands', { timeout: 180_000 }, () => {
  let store: TestStore
  const out = () => join(store.layout.root, '..', 'm.jsonl')

  async function makeStore(): Promise<TestStore> {
    const made = new TestStore()
    for (const id of ['ep-1', 'ep-2', 'ep-3']) await made.put(id)
    await taint(made, 'ep-2')
    return made
  }
  const taint = (of: TestStore, id: string) =>
    appendTaint(
      of.layout,
      TaintRow.parse({ at: '2026-11-21T10:00:00.000Z', kind: 'id', value: id, id, state: 'tainted', reason: 'drift', by: 'kim' }),
    )
  const lines = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)

  test('list leaves tainted episodes out, shows them with their reason when asked, and is one document with --json', async () => {
    store = await makeStore()
    const plain = await store.run('list')
    expect(plain.stdout.split('\n').map((line) => /ep-\d/.exec(line)?.[0])).toEqual(['ep-1', 'ep-3', undefined, undefined])
    expect(plain.stdout).toMatch(/lab-07 +ep-1 +0123456789ab {2}.* B\n/)
    expect(plain.stdout).toMatch(/\n2 episodes, /)
    const all = JSON.parse((await store.run('list', '--tainted', 'include', '--json')).stdout) as { episodes: { id: string }[] }
    expect(all.episodes.map(({ id }) => id)).toEqual(['ep-1', 'ep-2', 'ep-3'])
    const only = await store.run('list', '--tainted', 'only', '--commit', storedCommit.slice(0, 9), '--since', '1h')
    expect(only.stdout).toMatch(/ep-2 .*tainted: drift\n1 episode,/)
    expect(JSON.parse((await store.run('list', '--host', 'lab-09', '--json')).stdout)).toEqual({ episodes: [] })
  })

  test('a list of an index that cannot be read to its end is a whole document that says so, and exit 3', async () => {
    store = await makeStore()
    unlinkSync(store.layout.index)
    // It can be opened, and gives nothing back.
    mkdirSync(store.layout.index)
    const run = await store.run('list', '--json')
    expect(JSON.parse(run.stdout)).toEqual({ episodes: [], failed: expect.stringContaining('EISDIR') })
    expect(run.code).toBe(3)
    expect(run.stderr).toMatch(/folder|directory/)
  })

  test.each([
    ['list', '--since', 'noon', '--since: a day like'],
    ['manifest', '--hashes', '--json', '--hashes goes with --verify'],
  ])('%s %s %s is a mistake of the user', async (command, option, value, line) => {
    store = await makeStore()
    const run = await store.run(command, option, value)
    expect(run.code).toBe(2)
    if (value === '--json') expect(JSON.parse(run.stdout)).toMatchObject({ exit_code: 2 })
    else expect(run.stdout).toBe('')
    expect(run.stderr).toContain(line)
  })

  test('a manifest has a header that says of which index it is, and the entries that are left', async () => {
    store = await makeStore()
    const run = await store.run('manifest', '--host', 'lab-07')
    const [header, ...entries] = lines(run.stdout)
    const [first, , third] = store.rows()
    expect(entries).toEqual(
      [first, third].map((of) => ({
        ...Object.fromEntries(['id', 'sha256', 'bytes', 'host', 'commit'].map((key) => [key, of?.[key]])),
        path: expect.stringMatching(/^episodes\/lab-07\/[0-9a-f]{2}\/ep-\d\.tar\.zst$/),
      })),
    )
    const last = store.indexText().trimEnd().split('\n').at(-1) as string
    expect(header).toEqual({
      ...{ manifest: 1, generated_at: expect.stringMatching(/Z$/), filters: { host: 'lab-07' }, count: 2 },
      bytes: Number(first?.['bytes']) + Number(third?.['bytes']),
      head: { seq: 3, hash: createHash('sha256').update(last).digest('hex'), offset: store.indexText().length },
      left_out: { tainted: 1, pruned: 0, incomplete: 0 },
    })
    const { episodes, ...same } = JSON.parse((await store.run('manifest', '--host', 'lab-07', '--json')).stdout)
    expect([episodes, { ...same, generated_at: header?.['generated_at'] }]).toEqual([entries, header])
    for (const entry of entries)
      expect(
        createHash('sha256')
          .update(readFileSync(join(store.layout.root, entry['path'] as string)))
          .digest('hex'),
      ).toBe(entry['sha256'])
  })

  test('--verify finds a clean one clean, and tells of each what no longer holds', async () => {
    store = await makeStore()
    const made = await store.run('manifest', '--out', out())
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(made.stdout).toMatch(/m\.jsonl: 2 episodes, .*; left out: 1 tainted\n$/)
    expect(existsSync(`${out()}.tmp`)).toBe(false)
    const clean = await store.run('manifest', '--verify', out(), '--hashes')
    expect([clean.code, clean.stdout]).toEqual([0, expect.stringMatching(/^2 entries of .*, 0 findings\n$/)])

    await taint(store, 'ep-1')
    const archive = store.layout.archive(store.key('ep-3'))
    const bytes = readFileSync(archive)
    bytes[20] = (bytes[20] as number) ^ 1
    writeFileSync(archive, bytes)
    const found = async (...args: string[]) => {
      const run = await store.run('manifest', '--verify', out(), '--json', ...args)
      expect(run.code).toBe(1)
      return (JSON.parse(run.stdout) as { findings: { kind: string; at: string }[] }).findings.map(
        ({ kind, at }) => `${at} ${kind}`,
      )
    }
    expect(await found('--hashes')).toEqual(['lab-07/ep-1 tainted', 'lab-07/ep-3 wrong-hash'])
    truncateSync(archive, 10)
    unlinkSync(store.layout.archive(store.key('ep-1')))
    const text = readFileSync(out(), 'utf8')
    writeFileSync(
      out(),
      text.replace('"path":"episodes', '"path":"../../episodes').replace('"count":2', '"count":4').concat('{}\n'),
    )
    expect((await found()).map((line) => line.split(' ').at(-1))).toEqual([
      ...['tainted', 'wrong-path', 'missing', 'wrong-size', 'damaged-entry', 'wrong-count'],
    ])
  })

  test('what is no manifest, or cannot be written, is said in one line', async () => {
    store = await makeStore()
    for (const [args, line] of [
      [['--verify', '/nowhere'], 'cannot open /nowhere: it is not there'],
      [['--verify', store.config], 'this is no manifest'],
      [['--out', '/nowhere/m.jsonl'], '--out /nowhere/m.jsonl: cannot open'],
    ] as const) {
      const run = await store.run('manifest', ...args)
      expect([run.code, run.stderr.trimEnd().split('\n').length]).toEqual([3, 1])
      expect(run.stderr).toContain(line)
    }
  })

  test('a reader that has enough ends the list without a word', async () => {
    store = new TestStore()
    mkdirSync(store.layout.root, { recursive: true })
    writeFileSync(store.layout.index, `${JSON.stringify(row)}\n`.repeat(50_000))
    await using list = new Program('receiver', ['list', '--config', store.config])
    await list.until(() => (list.stdout.length > 0 ? true : undefined))
    list.child.stdout.destroy()
    expect(await list.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test('an empty store has an empty manifest, and none is not an empty one', async () => {
    store = new TestStore()
    expect(lines((await store.run('manifest')).stdout)).toMatchObject([{ count: 0, bytes: 0, head: null }])
    writeFileSync(store.config, 'state_dir = "/nowhere/at/all"\n')
    expect(await store.run('list')).toMatchObject({ code: 3, stderr: expect.stringContaining('/nowhere/at/all is not there') })
  })
})
