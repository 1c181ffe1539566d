import { expect, test } from 'vitest'
import { type OnStick, planExport } from '../../../packages/agent/src/core/export-plan.ts'

const entry = (id: string, sha256 = 'a'.repeat(64), lane = 'ready') => ({ id, sha256, bytes: 10, lane })
const onStick = (id: string, file = `${id}.tar.zst`, sha256 = 'a'.repeat(64)): OnStick => ({ id, file, sha256 })
const never = () => false

test('gated entries go along, quarantined ones wait for a person', () => {
  const plan = planExport([entry('a'), entry('b', undefined, 'gated'), entry('c', undefined, 'quarantine')], new Map(), [], never)
  expect(plan.entries.map(({ id }) => id)).toEqual(['a', 'b'])
})

test('what an earlier export has finished is not copied again, what it has not is', () => {
  const sizes = new Map([
    ['a.tar.zst', 10],
    ['b.tar.zst', 7],
  ])
  const plan = planExport([entry('a'), entry('b'), entry('c')], sizes, [onStick('a'), onStick('b'), onStick('c')], never)
  expect(plan.entries.map(({ id, there }) => [id, there])).toEqual([
    ['a', true],
    ['b', false],
    ['c', false],
  ])
})

test('a file that no manifest of ours names is written anew', () => {
  expect(planExport([entry('a')], new Map([['a.tar.zst', 10]]), [], never).entries[0]?.there).toBe(false)
})

test('two ids that differ only in case get files that FAT can tell apart, and keep them', () => {
  const waiting = [entry('Run-1', '1'.repeat(64)), entry('run-1', '2'.repeat(64))]
  const first = planExport(waiting, new Map(), [], never).entries
  expect(first.map(({ file }) => file)).toEqual(['Run-1.tar.zst', 'run-1.2222222222222222.tar.zst'])
  const again = planExport(waiting.toReversed(), new Map(), first, never).entries
  expect(new Map(again.map(({ id, file }) => [id, file]))).toEqual(new Map(first.map(({ id, file }) => [id, file])))
})

test('other bytes under an id that the stick holds already do not take its file', () => {
  const plan = planExport([entry('a', 'b'.repeat(64))], new Map([['a.tar.zst', 10]]), [onStick('a')], never)
  expect(plan.entries).toMatchObject([{ file: 'a.bbbbbbbbbbbbbbbb.tar.zst', there: false }])
})

test('copies that were delivered since are named for removal, others stay', () => {
  const plan = planExport([entry('c')], new Map(), [onStick('a'), onStick('b'), onStick('c')], ({ id }) => id !== 'b')
  expect(plan.delivered.map(({ id }) => id)).toEqual(['a'])
})
