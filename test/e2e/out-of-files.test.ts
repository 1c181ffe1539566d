/** An agent that may open no more files: it lives, judges nothing, and goes on when it may again. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ChaosProxy } from '../support/chaos-proxy.ts'
import { Lab } from '../support/lab.ts'

/** Soft limit of open files of a running process. */
function limitFiles(pid: number, files: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${files}:`])
}

test('an agent out of file descriptors keeps every entry ready, lives, and delivers when it has some again', {
  timeout: 180_000,
}, async () => {
  await using lab = await Lab.make()
  const url = await lab.startReceiver()
  for (const id of ['a', 'b', 'c']) await lab.record(id, lab.repo.log()[0])
  expect((await lab.agent('scan')).code).toBe(0)
  // Nobody answers yet.
  const proxy = await ChaosProxy.open(url, () => ({ faults: [{ do: 'reset', on: 'up', after: 0 }] }))
  await using _proxy = proxy
  await lab.configureAgent(proxy.url, '[ship]\nrescan = "2s"\n')
  await using agent = lab.startAgent()
  await agent.line({ event: 'unreachable' })
  const pid = agent.child.pid as number
  // Descriptors go to the lowest free number: below this limit there is none.
  const open = readdirSync(`/proc/${pid}/fd`).map(Number)
  const free = Array.from({ length: 1000 }, (_, fd) => fd).find((fd) => !open.includes(fd)) as number
  limitFiles(pid, free)
  await agent.until(() => (agent.stdout.includes('EMFILE') ? true : undefined))
  const { entries } = JSON.parse((await lab.agent('outbox', 'list', '--json')).stdout) as { entries: object[] }
  expect(entries).toMatchObject(['a', 'b', 'c'].map((id) => ({ id, lane: 'ready' })))
  proxy.plan = () => ({})
  limitFiles(pid, 1024)
  for (const id of ['a', 'b', 'c']) await agent.line({ event: 'delivered', id })
  expect((await lab.index()).map((row) => row['id']).sort()).toEqual(['a', 'b', 'c'])
})
