import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HeartbeatLog } from '@cis490/receiver/store/heartbeat-log.ts'
import { heartbeatRow } from '@cis490/shared/heartbeat.ts'
import { HostName } from '@cis490/shared/ids.ts'
import { expect, it } from 'vitest'
import { capturedLog } from '../../support/captured-log.ts'
import { scratchDir } from '../../support/scratch.ts'

const never = { everyMs: 3_600_000 }
const row = (host: string, ready = 0) => heartbeatRow(HostName.parse(host), { outbox: { ready } }, 1_700_000_000_000)
const rows = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { host: string; outbox: { ready: number } })
const hostsIn = (path: string) => rows(path).map(({ host }) => host)

it('writes the last of each host, and only when its time has come', async () => {
  const path = join(scratchDir(), 'heartbeats.jsonl')
  await using log = await HeartbeatLog.open(path, capturedLog().log, never)
  log.add(row('lab-1', 1))
  log.add(row('lab-2', 5))
  log.add(row('lab-1', 2))
  expect(readFileSync(path, 'utf8')).toBe('')
  await log.flush()
  expect(rows(path).map(({ host, outbox }) => [host, outbox.ready])).toEqual([
    ['lab-1', 2],
    ['lab-2', 5],
  ])
})

it('what waits is written at the end, after what a crash left of a row is cut off', async () => {
  const path = join(scratchDir(), 'heartbeats.jsonl')
  writeFileSync(path, `${JSON.stringify(row('lab-1'))}\n{"at":"2026`)
  {
    await using log = await HeartbeatLog.open(path, capturedLog().log, never)
    log.add(row('lab-2'))
  }
  expect(hostsIn(path)).toEqual(['lab-1', 'lab-2'])
})

it('begins a new file when the old one is full, and keeps that', async () => {
  const path = join(scratchDir(), 'heartbeats.jsonl')
  await using log = await HeartbeatLog.open(path, capturedLog().log, { ...never, maxBytes: 100 })
  for (const host of ['lab-1', 'lab-2', 'lab-3']) {
    log.add(row(host))
    await log.flush()
  }
  expect([hostsIn(`${path}.1`), hostsIn(path)]).toEqual([['lab-1', 'lab-2'], ['lab-3']])
})

it('of ten thousand hosts is written in few batches, all of it', async () => {
  const path = join(scratchDir(), 'heartbeats.jsonl')
  await using log = await HeartbeatLog.open(path, capturedLog().log, never)
  for (let k = 0; k < 10_000; k++) log.add(row(`lab-${k}`))
  await log.flush()
  expect(new Set(hostsIn(path)).size).toBe(10_000)
})

it('warns once when the disk does not take it, and goes on afterwards', async () => {
  const path = join(scratchDir(), 'heartbeats.jsonl')
  const captured = capturedLog()
  await using log = await HeartbeatLog.open(path, captured.log, { ...never, maxBytes: 100 })
  // A folder stands where the full file has to go.
  mkdirSync(join(`${path}.1`, 'in-the-way'), { recursive: true })
  for (const host of ['lab-1', 'lab-2', 'lab-3', 'lab-4']) {
    log.add(row(host))
    await log.flush()
  }
  expect(captured.at('warn')).toMatchObject([{ msg: 'heartbeats cannot be written down' }])
  expect(hostsIn(path)).toEqual(['lab-1', 'lab-2'])
  rmSync(`${path}.1`, { recursive: true })
  log.add(row('lab-5'))
  await log.flush()
  expect([hostsIn(`${path}.1`), hostsIn(path)]).toEqual([['lab-1', 'lab-2'], ['lab-5']])
})
