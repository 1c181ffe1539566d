/** Bundles in their folder: what comes in, what stays, and what a killed command leaves. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { CommitSha, Sha256 } from '@cis490/shared/ids.ts'
import { describe, expect, it } from 'vitest'
import { Bundles } from '../../../packages/receiver/src/bundles/bundles.ts'
import { bundleCommit, checksumIn, tooMany } from '../../../packages/receiver/src/core/bundle-plan.ts'
import { scratchDir } from '../../support/scratch.ts'

const sha = (digit: string) => CommitSha.parse(digit.repeat(40))
const hash = Sha256.parse('1'.repeat(64))
const hashOf = (text: string) => Sha256.parse(createHash('sha256').update(text).digest('hex'))

describe('a name', () => {
  it.each([`${sha('a')}.tar.zst`, `${'b'.repeat(64)}.tar.zst`])('%s is a bundle', (name) => {
    expect(bundleCommit(name)).toBe(name.slice(0, -8))
  })

  it.each([
    '',
    '.tar.zst',
    'main.tar.zst',
    sha('a'),
    `${sha('a').slice(1)}.tar.zst`,
    `${sha('A'.toLowerCase()).toUpperCase()}.tar.zst`,
    `../${sha('a')}.tar.zst`,
    `${sha('a')}.tar.zst/`,
    `${sha('a')}.tar.zst\n`,
    `%61${sha('a').slice(1)}.tar.zst`,
    `${sha('a')}.json`,
  ])('%j is none', (name) => {
    expect(bundleCommit(name)).toBeUndefined()
  })
})

describe('the checksum file', () => {
  it.each([
    `${hash}  x.tar.zst\n`,
    `${hash} *x.tar.zst\n`,
    `${hash}  ./x.tar.zst`,
    `${hash.toUpperCase()}\n`,
    `${'2'.repeat(64)}  other\n${hash}  x.tar.zst\n`,
  ])('%j says it', (text) => {
    expect(checksumIn(text, 'x.tar.zst')).toBe(hash)
  })

  it.each(['', '\n', 'x.tar.zst', `${hash.slice(1)}  x.tar.zst`, `${hash}  other`, `${hash}\n${hash}`])('%j does not', (text) => {
    expect(checksumIn(text, 'x.tar.zst')).toBeUndefined()
  })
})

it('the newest stay, and the one that was added', () => {
  const all = ['a', 'b', 'c'].map((digit, k) => ({ commit: sha(digit), sha256: hash, bytes: 1, added_at: `2026-01-0${k + 1}` }))
  const names = (keep: number, added: string) => tooMany(all, keep, sha(added)).map(({ commit }) => commit[0])
  expect(names(3, 'c')).toEqual([])
  expect(names(2, 'c')).toEqual(['a'])
  expect(names(1, 'c')).toEqual(['b', 'a'])
  expect(names(2, 'a'), 'with a clock that went back').toEqual(['b'])
})

/** A folder for bundles, and what adds one. */
function bed() {
  const root = scratchDir()
  const bundles = new Bundles(root)
  let time = 0
  const add = async (digit: string, text: string, sha256 = hashOf(text), keep = 2) => {
    const path = join(root, 'from')
    writeFileSync(path, text)
    await using file = await open(path)
    using lock = await bundles.lock()
    expect(lock).toBeDefined()
    time += 1
    const said = { commit: sha(digit), sha256, added_at: new Date(time).toISOString() }
    return await bundles.add(file, said, keep, () => undefined)
  }
  const read = async (digit: string) => {
    await using found = await bundles.open(sha(digit))
    return found && (await found.file.readFile('utf8'))
  }
  const names = () => readdirSync(join(root, 'bundles')).filter((name) => name !== '.lock')
  return { dir: join(root, 'bundles'), bundles, add, read, names }
}

describe('a bundle', () => {
  it('that was added is there, once', async () => {
    const { add, read, bundles } = bed()
    expect(await bundles.list()).toEqual([])
    expect(await add('a', 'one')).toMatchObject({ kind: 'added', bundle: { sha256: hashOf('one'), bytes: 3 }, removed: [] })
    expect(await read('a')).toBe('one')
    expect(await add('a', 'one')).toMatchObject({ kind: 'there-already' })
    expect(await add('a', 'two')).toMatchObject({ kind: 'another-is-there' })
    expect(await read('a')).toBe('one')
  })

  it('with another hash leaves nothing', async () => {
    const { add, names } = bed()
    expect(await add('a', 'one', hash)).toEqual({ kind: 'wrong-hash', sha256: hashOf('one') })
    expect(names()).toEqual([])
  })

  it('makes room: the oldest goes', async () => {
    const { add, bundles, names } = bed()
    for (const digit of ['a', 'b', 'c']) await add(digit, digit)
    expect((await bundles.list()).map(({ commit }) => commit[0])).toEqual(['c', 'b'])
    expect(names()).toHaveLength(4)
  })

  it('that is removed is gone; another was never there', async () => {
    const { add, bundles, names } = bed()
    await add('a', 'one')
    expect([await bundles.remove(sha('a')), await bundles.remove(sha('b'))]).toEqual([true, false])
    expect(names()).toEqual([])
  })

  it('without its sidecar, or of another length, is not served, and comes anew', async () => {
    const { add, read, bundles, dir } = bed()
    mkdirSync(dir)
    writeFileSync(join(dir, `${sha('a')}.tar.zst`), 'half')
    expect([await read('a'), await bundles.list()]).toEqual([undefined, []])
    await add('a', 'whole')
    expect(await read('a')).toBe('whole')
    writeFileSync(join(dir, `${sha('a')}.tar.zst`), 'cut')
    expect(await read('a')).toBeUndefined()
    expect(await add('a', 'whole')).toMatchObject({ kind: 'added' })
    expect(await read('a')).toBe('whole')
  })

  it('of a killed command is cleared away by the next one', async () => {
    const { add, dir, names } = bed()
    await add('a', 'one')
    for (const name of [`${sha('b')}.part`, `${sha('b')}.json`, `${sha('b')}.json.tmp`]) writeFileSync(join(dir, name), '{}')
    await add('c', 'three')
    expect(names().filter((name) => name.startsWith('b'))).toEqual([])
    expect(existsSync(join(dir, `${sha('a')}.tar.zst`))).toBe(true)
  })

  it('waits for the command that works there', async () => {
    const { bundles } = bed()
    using held = await bundles.lock()
    expect([held === undefined, await bundles.lock()]).toEqual([false, undefined])
  })
})
