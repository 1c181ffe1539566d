/** What is remembered of hosts and heads, over restarts and odd clocks. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { expect, it } from 'vitest'
import { Ledger } from '../../../packages/receiver/src/rollout/ledger.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { scratchDir } from '../../support/scratch.ts'

const day = 86_400_000
const now = Date.parse('2026-11-21T12:00:00Z')
const host = HostName.parse('lab-07')
const [head, older] = ['a'.repeat(40), 'b'.repeat(40)]

function bed() {
  const path = join(scratchDir(), 'rollout.json')
  const log = capturedLog()
  return { path, log, open: () => Ledger.open(path, log.log) }
}

it('a host is known again after a restart, with its times', async () => {
  const { open } = bed()
  const first = await open()
  expect([first.hear({ host, wave: 1, commit: head }, now), first.hear({ host, wave: 1, commit: head }, now + 5)]).toEqual([
    true,
    false,
  ])
  await first[Symbol.asyncDispose]()
  await using again = await open()
  expect(again.get(host)).toEqual({ wave: 1, commit: head, since: now, heardAt: now + 5 })
  again.hear({ host, wave: 1, commit: older }, now + 10)
  expect(again.get(host)).toMatchObject({ since: now + 10 })
})

it('a head is as old as it was before a restart; another one is new, and so it is after a clock went back', async () => {
  const { open } = bed()
  const first = await open()
  expect([first.seen(undefined, now), first.seen(head, now), first.seen(head, now + 5)]).toEqual([undefined, now, now])
  await first[Symbol.asyncDispose]()
  await using again = await open()
  expect([again.seen(head, now + day), again.seen(older, now + day), again.seen(older, now)]).toEqual([now, now + day, now])
})

it('an agent that says no wave any more stays in its wave; one that never did is not known', async () => {
  await using ledger = await bed().open()
  ledger.hear({ host, wave: 0, commit: head }, now)
  ledger.hear({ host, commit: older }, now + 5)
  ledger.hear({ host: HostName.parse('lab-08'), commit: older }, now)
  expect([...ledger.hosts(now + 5)]).toEqual([[host, { wave: 0, commit: older, since: now + 5, heardAt: now + 5 }]])
})

it('a host that is silent for a week holds nobody up any more', async () => {
  await using ledger = await bed().open()
  ledger.hear({ host, wave: 0, commit: head }, now)
  expect([ledger.hosts(now + 7 * day).size, ledger.hosts(now + 7 * day + 1).size]).toEqual([1, 0])
})

it('a file that cannot be used is a warning, and is written anew', async () => {
  const { path, log, open } = bed()
  writeFileSync(path, '{"hosts": 5}')
  const ledger = await open()
  expect(log.at('warn')).toMatchObject([{ path }])
  ledger.hear({ host, wave: 0, commit: head }, now)
  await ledger[Symbol.asyncDispose]()
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ hosts: { 'lab-07': { wave: 0 } } })
})

it('a disk that takes nothing costs a warning, once', async () => {
  const { path, log, open } = bed()
  const ledger = await open()
  mkdirSync(path)
  ledger.hear({ host, wave: 0, commit: head }, now)
  await ledger[Symbol.asyncDispose]()
  expect(log.at('warn')).toMatchObject([{ path, cause: expect.stringMatching(/\w/) }])
  expect(ledger.get(host)).toBeDefined()
})
