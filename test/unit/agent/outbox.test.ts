import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import { parseConfig } from '@cis490/shared/node/config-file.ts'
import { expect, test } from 'vitest'
import type { AgentContext } from '../../../packages/agent/src/commands/context.ts'
import { finishDelivered } from '../../../packages/agent/src/commands/finish-delivered.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { AgentConfig } from '../../../packages/agent/src/config.ts'
import { hashArchive } from '../../../packages/agent/src/episodes/archive-head.ts'
import { deleteEpisode } from '../../../packages/agent/src/episodes/delete.ts'
import type { Entry } from '../../../packages/agent/src/outbox/entry.ts'
import { Outbox } from '../../../packages/agent/src/outbox/outbox.ts'
import { type AgentHome, makeAgentHome, recordEpisode, stamp } from '../../support/agent-home.ts'
import { capturedLog } from '../../support/captured-log.ts'

const id = EpisodeId.parse('ep-1')
const start = Date.parse('2026-11-21T12:00:00Z')

async function openContext(home: AgentHome) {
  const { log, lines } = capturedLog()
  const config = parseConfig(readFileSync(home.config, 'utf8'), home.config, AgentConfig)
  const outbox = await Outbox.open({ outboxDir: home.outbox, stateDir: home.state, log, now: () => start })
  const context: AgentContext = { config, outbox, log, now: () => start }
  const events = (event: string) => lines.filter((line) => line['event'] === event)
  return { ...context, context, events, [Symbol.asyncDispose]: () => outbox[Symbol.asyncDispose]() }
}

function receiptFor(entry: Entry, more = {}): string {
  const receipt = {
    id: entry.id,
    host: 'lab-07',
    sha256: entry.sha256,
    bytes: entry.bytes,
    received_at: timestamp(start),
    ...more,
  }
  return JSON.stringify(receipt)
}

function rowsOf(home: AgentHome, name: string): unknown[] {
  return readFileSync(join(home.state, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

async function packedEntry({ context }: { context: AgentContext }): Promise<Entry> {
  const { packed } = await scan(context)
  return packed[0] as Entry
}

test('a packed episode is an entry with hash, size, stamp and schema, and survives opening anew', async () => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  {
    await using agent = await openContext(home)
    await scan(agent.context)
  }
  await using agent = await openContext(home)
  const [entry] = await agent.outbox.entries()
  expect(entry).toEqual({
    id,
    ...(await hashArchive(join(home.outbox, 'ep-1.tar.zst'))),
    commit: stamp,
    schema_version: '3',
    lane: 'ready',
    attempts: 0,
  })
  expect(readdirSync(home.outbox)).toEqual(['ep-1.json', 'ep-1.tar.zst'])
  expect((await scan(agent.context)).packed).toEqual([])
})

test('an archive is never replaced: publishing over one throws and changes neither', async () => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  await using agent = await openContext(home)
  const entry = await packedEntry(agent)
  writeFileSync(agent.outbox.partPath(id), 'other bytes')
  await expect(agent.outbox.publish(entry, { tree: 'x', newest_change_ns: '1' })).rejects.toThrow('exists already')
  expect((await hashArchive(agent.outbox.archivePath(id))).sha256).toBe(entry.sha256)
})

test('only archive and valid sidecar together are an entry', async () => {
  const home = makeAgentHome()
  await using agent = await openContext(home)
  writeFileSync(join(home.outbox, 'alone.tar.zst'), 'x')
  writeFileSync(join(home.outbox, 'sidecar.json'), '{}')
  writeFileSync(join(home.outbox, 'torn.tar.zst'), 'x')
  writeFileSync(join(home.outbox, 'torn.json'), '{"sha256":"ab')
  writeFileSync(join(home.outbox, 'notes.txt'), 'x')
  expect(await agent.outbox.entries()).toEqual([])
  expect(await agent.outbox.find(EpisodeId.parse('torn'))).toBeUndefined()
})

test('a delivery writes the receipt as it came, then removes the entry; the folder goes last and is not packed again', async () => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  await using agent = await openContext(home)
  const entry = await packedEntry(agent)
  await agent.outbox.settleDelivered(entry, receiptFor(entry, { gate_position: 3, future: 'field' }))
  expect(rowsOf(home, 'receipts.jsonl')).toEqual([JSON.parse(receiptFor(entry, { gate_position: 3, future: 'field' }))])
  expect(readdirSync(home.outbox)).toEqual([])
  expect(existsSync(join(home.episodes, id))).toBe(true)
  expect(await finishDelivered(agent.context, [id])).toEqual({ deleted: [id], left: [] })
  expect(existsSync(join(home.episodes, id))).toBe(false)
  recordEpisode(home, id)
  expect(await scan(agent.context)).toMatchObject({ packed: [] })
})

test.each([
  ['another archive', (entry: Entry) => receiptFor(entry, { sha256: 'f'.repeat(64) })],
  ['another episode', (entry: Entry) => receiptFor(entry, { id: 'ep-2' })],
  ['nothing: an HTML page', () => '<html>welcome to the hotel</html>'],
])('a receipt for %s is none: nothing is written and nothing goes', async (_what, text) => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  await using agent = await openContext(home)
  const entry = await packedEntry(agent)
  await expect(agent.outbox.settleDelivered(entry, text(entry))).rejects.toThrow()
  expect(await agent.outbox.find(id)).toEqual(entry)
  expect(readFileSync(join(home.state, 'receipts.jsonl'), 'utf8')).toBe('')
})

test('after a crash between receipt and removal the next scan finishes the delivery', async () => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  {
    await using agent = await openContext(home)
    const entry = await packedEntry(agent)
    writeFileSync(join(home.state, 'receipts.jsonl'), `${receiptFor(entry)}\n{"id":"ep-2","sha`)
  }
  await using agent = await openContext(home)
  expect(agent.outbox.hasReceipt(id)).toBe(true)
  const result = await scan(agent.context)
  expect(result).toMatchObject({ packed: [], deleted: [id], reclaimed: [{ act: 'remove-entry', id, reason: 'delivered' }] })
  expect(readdirSync(home.outbox)).toEqual([])
  expect(readdirSync(home.episodes)).toEqual([])
  expect(readFileSync(join(home.state, 'receipts.jsonl'), 'utf8').endsWith('}\n')).toBe(true)
})

test('after a crash before the archive had its name the episode is packed anew', async () => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  await using agent = await openContext(home)
  const entry = await packedEntry(agent)
  linkSync(agent.outbox.archivePath(id), agent.outbox.partPath(id))
  rmSync(agent.outbox.archivePath(id))
  const result = await scan(agent.context)
  expect(result.reclaimed).toHaveLength(2)
  expect(result.packed).toMatchObject([{ id, sha256: entry.sha256 }])
  expect(readdirSync(home.outbox)).toEqual(['ep-1.json', 'ep-1.tar.zst'])
})

test('the last copy is kept: without folder it is said once, without sidecar it gets one with its stamp', async () => {
  const home = makeAgentHome()
  const folder = recordEpisode(home, id)
  await using agent = await openContext(home)
  const entry = await packedEntry(agent)
  rmSync(folder, { recursive: true })
  await scan(agent.context)
  await scan(agent.context)
  expect(agent.events('orphan-kept')).toMatchObject([{ level: 'warn', id }])
  rmSync(join(home.outbox, 'ep-1.json'))
  await scan(agent.context)
  expect(await agent.outbox.find(id)).toEqual(entry)
  await using again = await openContext(home)
  await scan(again.context)
  expect(again.events('orphan-kept')).toEqual([])
})

test('what was written to a folder after it was packed is not deleted with it', async () => {
  const home = makeAgentHome()
  const folder = recordEpisode(home, id)
  await using agent = await openContext(home)
  const entry = await packedEntry(agent)
  await agent.outbox.settleDelivered(entry, receiptFor(entry))
  writeFileSync(join(folder, 'late.csv'), 'one more row')
  // Old times do not hide it.
  utimesSync(join(folder, 'late.csv'), 1, 1)
  expect(await finishDelivered(agent.context, [id])).toEqual({ deleted: [], left: [{ id, reason: 'changed-after-delivery' }] })
  expect(agent.events('delivered-folder-left')).toHaveLength(1)
  expect(readFileSync(join(folder, 'late.csv'), 'utf8')).toBe('one more row')
})

async function deliveredEpisode(home: AgentHome, agent: { context: AgentContext }): Promise<void> {
  recordEpisode(home, id, { a: 'a', b: 'b' })
  const entry = await packedEntry(agent)
  await agent.context.outbox.settleDelivered(entry, receiptFor(entry))
}

test('a file that was never shipped is not deleted with its folder when packed.jsonl was lost', async () => {
  const home = makeAgentHome()
  {
    await using agent = await openContext(home)
    await deliveredEpisode(home, agent)
  }
  writeFileSync(join(home.episodes, id, 'late.csv'), 'one more row')
  utimesSync(join(home.episodes, id, 'late.csv'), 1, 1)
  rmSync(join(home.state, 'packed.jsonl'))
  await using agent = await openContext(home)
  expect(await scan(agent.context)).toMatchObject({ packed: [], deleted: [], left: [{ id, reason: 'not-known-as-delivered' }] })
  expect(readFileSync(join(home.episodes, id, 'late.csv'), 'utf8')).toBe('one more row')
  expect(agent.events('delivered-folder-left')).toMatchObject([{ id, reason: 'not-known-as-delivered' }])
})

test('a folder that lost files after its delivery is not taken for half deleted', async () => {
  const home = makeAgentHome()
  await using agent = await openContext(home)
  await deliveredEpisode(home, agent)
  rmSync(join(home.episodes, id, 'a'))
  expect(await scan(agent.context)).toMatchObject({ deleted: [], left: [{ id, reason: 'changed-after-delivery' }] })
  expect(readdirSync(join(home.episodes, id))).toEqual(['b', 'meta.json'])
})

test('a file that came between the look and the deletion puts the folder back under its name', async () => {
  const home = makeAgentHome()
  await using agent = await openContext(home)
  await deliveredEpisode(home, agent)
  const looks: string[] = []
  const result = await deleteEpisode(home.episodes, id, (print) => {
    looks.push(...readdirSync(home.episodes))
    return print.bytes === 0
  })
  expect([result, looks]).toEqual([{ done: 'put-back' }, ['.deleting-ep-1']])
  expect(readdirSync(join(home.episodes, id))).toEqual(['a', 'b', 'meta.json'])
})

test('a deletion that the power cut after the first rename is finished by the next scan', async () => {
  const home = makeAgentHome()
  await using agent = await openContext(home)
  await deliveredEpisode(home, agent)
  renameSync(join(home.episodes, id), join(home.episodes, '.deleting-ep-1'))
  expect(await scan(agent.context)).toMatchObject({ deleted: [id], unreadable: [], left: [] })
  expect(readdirSync(home.episodes)).toEqual([])
})

test('a folder that was half deleted when the power went is deleted to its end', async () => {
  const home = makeAgentHome()
  await using agent = await openContext(home)
  await deliveredEpisode(home, agent)
  renameSync(join(home.episodes, id), join(home.episodes, '.deleted-ep-1'))
  rmSync(join(home.episodes, '.deleted-ep-1', 'meta.json'))
  expect(await scan(agent.context)).toMatchObject({ deleted: [id], left: [] })
  expect(readdirSync(home.episodes)).toEqual([])
})

test.each(['.deleting-ep-1', '.deleted-ep-1'])('%s with a file that was never shipped gets its name back', async (hidden) => {
  const home = makeAgentHome()
  await using agent = await openContext(home)
  await deliveredEpisode(home, agent)
  renameSync(join(home.episodes, id), join(home.episodes, hidden))
  writeFileSync(join(home.episodes, hidden, 'late.csv'), 'one more row')
  expect(await scan(agent.context)).toMatchObject({ deleted: [], left: [{ id, reason: 'changed-after-delivery' }] })
  expect(readFileSync(join(home.episodes, id, 'late.csv'), 'utf8')).toBe('one more row')
})

test.each(['.deleting-ep-1', '.deleted-ep-1'])('%s without a receipt gets its name back and is packed', async (hidden) => {
  const home = makeAgentHome()
  const folder = recordEpisode(home, id)
  renameSync(folder, join(home.episodes, hidden))
  await using agent = await openContext(home)
  expect(await scan(agent.context)).toMatchObject({ deleted: [], packed: [{ id }] })
  expect(existsSync(folder)).toBe(true)
})

test('a hidden folder whose name is taken again replaces nothing: both stay', async () => {
  const home = makeAgentHome()
  const folder = recordEpisode(home, id)
  renameSync(folder, join(home.episodes, '.deleting-ep-1'))
  mkdirSync(folder)
  await using agent = await openContext(home)
  expect(await scan(agent.context)).toMatchObject({ deleted: [], left: [{ id, reason: 'not-deletable' }] })
  expect(readdirSync(home.episodes)).toEqual(['.deleting-ep-1', 'ep-1'])
})

test('keep_shipped leaves the newest as second copies', async () => {
  const home = makeAgentHome('[ship]\nkeep_shipped = "1500"\n')
  await using agent = await openContext(home)
  for (const [k, name] of ['old', 'new'].entries()) {
    recordEpisode(home, name, { data: 'x'.repeat(900) })
    const entry = await packedEntry(agent)
    await agent.outbox.settleDelivered(entry, receiptFor(entry, { received_at: timestamp(start + k) }))
  }
  expect(await scan(agent.context)).toMatchObject({ packed: [], deleted: ['old'], left: [{ id: 'new', reason: 'second-copy' }] })
  expect(readdirSync(home.episodes)).toEqual(['new'])
})

test('an entry in flight survives reclaim', async () => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  await using agent = await openContext(home)
  const entry = await packedEntry(agent)
  rmSync(join(home.outbox, 'ep-1.json'))
  agent.outbox.markInFlight(id)
  await scan(agent.context).catch(() => undefined)
  expect((await hashArchive(agent.outbox.archivePath(id))).sha256).toBe(entry.sha256)
  agent.outbox.releaseInFlight(id)
  await scan(agent.context)
  expect(await agent.outbox.find(id)).toMatchObject({ sha256: entry.sha256 })
})

test('a dropped episode leaves a tombstone and is not packed again', async () => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  await using agent = await openContext(home)
  const entry = await packedEntry(agent)
  expect(await agent.outbox.drop(id, 'camera was covered', 'ana')).toBe(true)
  const { sha256, bytes } = entry
  const row = { id, reason: 'camera was covered', by: 'ana', sha256, bytes, commit: stamp, at: timestamp(start) }
  expect(rowsOf(home, 'tombstones.jsonl')).toEqual([row])
  expect(await scan(agent.context)).toMatchObject({ packed: [], dropped: [id] })
  expect(await agent.outbox.drop(id, 'again', 'ana')).toBe(false)
})

test('the gate is asked once for a stamp, before packing; refused episodes wait on the gated lane', async () => {
  const home = makeAgentHome()
  recordEpisode(home, 'a')
  recordEpisode(home, 'b')
  recordEpisode(home, 'c', undefined, { code_version: { commit: 'f'.repeat(40) } })
  recordEpisode(home, 'd', undefined, { code_version: undefined })
  await using agent = await openContext(home)
  const asked: string[] = []
  await scan(agent.context, {
    gateAllows: async (commit) => {
      asked.push(`${commit} ${readdirSync(home.outbox).length}`)
      return commit === stamp ? { verdict: 'refuse', code: 'commit-denied' } : { verdict: 'unavailable' }
    },
  })
  expect(asked).toEqual([`${stamp} 0`, `${'f'.repeat(40)} 4`])
  expect((await agent.outbox.entries()).map(({ lane, last }) => [lane, last?.status, last?.code])).toEqual([
    ['gated', 412, 'commit-denied'],
    ['gated', 412, 'commit-denied'],
    ['ready', undefined, undefined],
    ['ready', undefined, undefined],
  ])
})

test('the quota stops packing and says so; nothing goes', async () => {
  const home = makeAgentHome('[quota]\nbytes = "2KiB"\n')
  recordEpisode(home, 'a', { data: 'x'.repeat(1500) })
  await using agent = await openContext(home)
  expect(await scan(agent.context)).toMatchObject({ packed: [], later: [{ id: 'a', reason: 'quota' }] })
  expect(agent.events('packing-stopped')).toHaveLength(1)
  expect(existsSync(join(home.episodes, 'a', 'data'))).toBe(true)
})

test('names that no episode can have are reported and left alone', async () => {
  const home = makeAgentHome()
  mkdirSync(join(home.episodes, '.tmp'))
  mkdirSync(join(home.episodes, 'a..b'))
  writeFileSync(join(home.episodes, 'stray-file'), '')
  await using agent = await openContext(home)
  const { unreadable } = await scan(agent.context)
  expect(unreadable.map((one) => one.name).sort()).toEqual(['a..b', 'stray-file'])
})

test('a sidecar that is being replaced is left alone; one whose entry is gone is removed', async () => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  await using agent = await openContext(home)
  await scan(agent.context)
  writeFileSync(join(home.outbox, 'ep-1.json.tmp'), '{')
  writeFileSync(join(home.outbox, 'ep-2.json.tmp'), '{')
  await scan(agent.context)
  expect(readdirSync(home.outbox)).toEqual(['ep-1.json', 'ep-1.json.tmp', 'ep-1.tar.zst'])
  await agent.outbox.remove(id)
  expect(readdirSync(home.outbox)).toEqual([])
})

test('half a sidecar that a crash left beside its archive is gone after the next start, and the sidecar stands', async () => {
  const home = makeAgentHome()
  recordEpisode(home, id)
  {
    await using first = await openContext(home)
    await scan(first.context)
  }
  writeFileSync(join(home.outbox, `${id}.json.tmp`), '{"sha')
  await using second = await openContext(home)
  expect(readdirSync(home.outbox)).toEqual([`${id}.json`, `${id}.tar.zst`])
  expect((await second.outbox.find(id))?.lane).toBe('ready')
})
