import { appendFileSync, mkdirSync } from 'node:fs'
import { TaintRow } from '@cis490/shared/taint.ts'
import { describe, expect, test } from 'vitest'
import { speaksOf, Taints } from '../../../packages/receiver/src/core/taints.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { appendTaint, lockTaints, readTaints, TaintsNow } from '../../../packages/receiver/src/store/taints.ts'
import { scratchDir } from '../../support/scratch.ts'

const [bad, worse, good] = ['a', 'b', 'c'].map((digit) => digit.repeat(40)) as [string, string, string]

function said(row: object): TaintRow {
  const common = { at: '2026-11-21T10:00:00.000Z', state: 'tainted', reason: 'clock drift', by: 'kim', value: 'x' }
  return TaintRow.parse({ ...common, ...row })
}
const commit = (sha: string, rest = {}) => said({ kind: 'commit', value: sha, commits: [sha], ...rest })
const range = (rest = {}) => said({ kind: 'range', value: 'a..b', commits: [bad, worse], ...rest })
const id = (name: string, rest = {}) => said({ kind: 'id', value: name, id: name, ...rest })
const host = 'lab-07'
const lab7 = { id: 'run-1', host, commit: bad }
const lab8 = { ...lab7, host: 'lab-08' }

describe('an episode is tainted', () => {
  test('by its commit, on every host', () => {
    const taints = new Taints([commit(bad)])
    expect(taints.of(lab7)).toEqual({ reason: 'clock drift', at: '2026-11-21T10:00:00.000Z', by: 'kim' })
    expect(taints.of(lab8)).toBeDefined()
    expect(taints.of({ ...lab7, commit: good })).toBeUndefined()
    expect(taints.of({ id: 'old', commit: null })).toBeUndefined()
  })
  test('by any commit of a range, whatever case an old row wrote it in', () => {
    const taints = new Taints([range()])
    expect(taints.of({ ...lab7, commit: worse.toUpperCase() })).toBeDefined()
    expect(taints.of({ ...lab7, commit: good })).toBeUndefined()
  })
  test('by its id, on one host alone where one was named', () => {
    const taints = new Taints([id('run-1', { host })])
    expect(taints.of(lab7)).toBeDefined()
    expect(taints.of(lab8)).toBeUndefined()
    expect(taints.of({ id: 'run-1' })).toBeUndefined()
  })
  test('also where its row has no host and the statement names none', () => {
    expect(new Taints([id('run-1')]).of({ id: 'run-1' })).toBeDefined()
  })
})

describe('a taint is taken back', () => {
  const cleared = { state: 'cleared' }
  test('for all hosts by a later statement about the commit', () => {
    expect(new Taints([commit(bad), commit(bad, cleared)]).of(lab7)).toBeUndefined()
    expect(new Taints([commit(bad), commit(bad, cleared), commit(bad, { reason: 'again' })]).of(lab7)?.reason).toBe('again')
  })
  test('for one host of many, and for all of them when the later statement names none', () => {
    const forOne = new Taints([commit(bad), commit(bad, { ...cleared, host })])
    expect([forOne.of(lab7), forOne.of(lab8)].map(Boolean)).toEqual([false, true])
    const forAll = new Taints([commit(bad, { host }), commit(bad, cleared)])
    expect(forAll.of(lab7)).toBeUndefined()
  })
  test('for a single episode of a tainted range that somebody has checked', () => {
    const taints = new Taints([range(), id('run-1', { ...cleared, host })])
    expect(taints.of(lab7)).toBeUndefined()
    expect(taints.of({ ...lab7, id: 'run-2' })).toBeDefined()
  })
  test('but clearing a commit leaves alone what was said about an id', () => {
    expect(new Taints([id('run-1'), commit(bad, cleared)]).of(lab7)).toBeDefined()
  })
})

test('a statement speaks of what it names, whatever holds afterwards', () => {
  const ofRange = speaksOf(range({ host }))
  expect([ofRange(lab7), ofRange(lab8), ofRange({ ...lab7, commit: good })]).toEqual([true, false, false])
  const ofId = speaksOf(id('run-1'))
  expect([ofId(lab7), ofId(lab8), ofId({ ...lab7, id: 'run-2' })]).toEqual([true, true, false])
})

describe('taints.jsonl', () => {
  test('is missing in a store without taints', async () => {
    const { taints, damaged } = await readTaints(new StoreLayout(scratchDir()))
    expect([taints.size, damaged]).toEqual([0, []])
  })

  test('is read again as soon as a statement was added, and only then', async () => {
    const layout = new StoreLayout(scratchDir())
    const now = new TaintsNow(layout)
    expect((await now.get()).of(lab7)).toBeUndefined()
    await appendTaint(layout, id('run-2'))
    expect((await now.get()).of(lab7)).toBeUndefined()
    await appendTaint(layout, id('run-1'))
    expect((await now.get()).of(lab7)?.reason).toBe('clock drift')
    expect(await now.get()).toBe(await now.get())
  })

  test('tells of a line that is no statement, leaves out a torn last one, and goes on whole', async () => {
    const layout = new StoreLayout(scratchDir())
    await appendTaint(layout, id('run-1'))
    appendFileSync(layout.taints, '{"kind":"maybe"}\n{"at":"20')
    const told: number[] = []
    const now = new TaintsNow(layout, (lines) => told.push(...lines))
    expect((await now.get()).size).toBe(1)
    expect(told).toEqual([2])
    await appendTaint(layout, id('run-2'))
    expect((await readTaints(layout)).rows.map(({ value }) => value)).toEqual(['run-1', 'run-2'])
  })

  test('that cannot be read is a fault, not an empty list', async () => {
    const layout = new StoreLayout(scratchDir())
    mkdirSync(layout.taints)
    const now = new TaintsNow(layout)
    await expect(now.get()).rejects.toThrow('EISDIR')
    await expect(now.get()).rejects.toThrow('EISDIR')
  })

  test('is written by one process at a time', () => {
    const layout = new StoreLayout(scratchDir())
    using first = lockTaints(layout)
    expect(first).toBeDefined()
    expect(lockTaints(layout)).toBeUndefined()
  })
})
