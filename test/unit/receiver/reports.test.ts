import { readFileSync, statSync } from 'node:fs'
import { HostName } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { inOrder, Reports } from '../../../packages/receiver/src/store/reports.ts'
import { holdSync } from '../../support/held-sync.ts'
import { scratchDir } from '../../support/scratch.ts'

const host = HostName.parse('lab-07')
const of = (sequence: unknown, report_epoch: unknown = 'e') => ({ report_epoch, sequence })

test('reports that wait together end as if they had come one after the other', () => {
  expect(inOrder(undefined, [of(1), of(3), of(2)])).toEqual({ last: 1, answers: [undefined, undefined, 3] })
  expect(inOrder(of(5), [of(4), of(3)])).toEqual({ last: undefined, answers: [5, 5] })
  expect(inOrder(of(5), [of(1, 'new'), of(6)])).toEqual({ last: 1, answers: [undefined, undefined] })
  expect(inOrder(of(5), [of(7), of('none'), of(6)])).toEqual({ last: 2, answers: [undefined, undefined, undefined] })
})

test('who waits while a report is written shares the next write, and is answered when that is durable', async () => {
  const layout = new StoreLayout(scratchDir())
  await using reports = await Reports.open(layout)
  const send = (sequence: number) => reports.store(host, Buffer.from(JSON.stringify(of(sequence))), of(sequence))
  const there = () => readFileSync(layout.report(host), 'utf8')
  const answered: number[] = []
  const note = (sequence: number) => send(sequence).then(() => answered.push(sequence))
  using disk = await holdSync(/\/host-health$/)
  const all = [note(1)]
  await disk.hangs
  const first = statSync(layout.report(host)).ino
  all.push(note(2), note(4), note(3))
  expect(answered).toEqual([])
  expect(there()).toContain('"sequence":1')
  disk.release()
  await Promise.all(all)
  expect(there()).toContain('"sequence":4')
  expect(statSync(layout.report(host)).ino).not.toBe(first)
  expect(answered[0]).toBe(1)
  expect(await send(3)).toBe(4)
})

test('a report whose folder could not be synced is not acknowledged, nor are those in line with it', async () => {
  const layout = new StoreLayout(scratchDir())
  await using reports = await Reports.open(layout)
  const send = (sequence: number) => reports.store(host, Buffer.from(JSON.stringify(of(sequence))), of(sequence))
  {
    using disk = await holdSync(/\/host-health$/)
    const failing = send(1)
    await disk.hangs
    disk.release(new Error('the disk is broken'))
    await expect(failing).rejects.toThrow('the disk is broken')
  }
  // The file may be the new one by now, and says so itself.
  expect(await send(1)).toBeUndefined()
  expect(await send(0)).toBe(1)
})
