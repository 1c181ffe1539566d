import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { expect, test, vi } from 'vitest'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { Reports } from '../../../packages/receiver/src/store/reports.ts'
import { capturedLog } from '../../support/captured-log.ts'
import { holdSync } from '../../support/held-sync.ts'
import { scratchDir } from '../../support/scratch.ts'

const host = HostName.parse('lab-07')
const other = HostName.parse('lab-08')
const of = (sequence: unknown, report_epoch: unknown = 'e') => ({ report_epoch, sequence })

/** @param journalBytes 1: a section of the journal is long with its first report */
async function openReports(journalBytes?: number, layout = new StoreLayout(scratchDir())) {
  const captured = capturedLog()
  const reports = await Reports.open(layout, captured.log, journalBytes)
  return {
    layout,
    errors: () => captured.at('error').map(({ msg }) => msg),
    send: (sequence: number, to = host) => reports.store(to, Buffer.from(JSON.stringify(of(sequence))), of(sequence)),
    sections: () => readdirSync(layout.reportJournal),
    there: (of_ = host) => readFileSync(layout.report(of_), 'utf8'),
    [Symbol.asyncDispose]: () => reports[Symbol.asyncDispose](),
  }
}

/** The store as a crash at this moment leaves it, without what only the files of the hosts held. */
function crashed(layout: StoreLayout): StoreLayout {
  const left = new StoreLayout(scratchDir())
  cpSync(layout.root, left.root, { recursive: true })
  for (const name of readdirSync(left.reports)) writeFileSync(join(left.reports, name), '')
  return left
}

const journalSync = /\/report-journal\/\d+\.jsonl$/

test('who waits while a report is written shares the next write, and is answered when that is durable', async () => {
  await using bed = await openReports()
  const answered: number[] = []
  const note = (sequence: number) => bed.send(sequence).then(() => answered.push(sequence))
  await note(0)
  await using reader = await open(bed.layout.report(host))
  using disk = await holdSync(journalSync)
  const all = [note(1)]
  await disk.hangs
  all.push(note(2), note(4), note(3))
  expect(answered).toEqual([0])
  expect(bed.there()).toContain('"sequence":0')
  disk.release()
  await Promise.all(all)
  expect(bed.there()).toContain('"sequence":4')
  expect(await reader.readFile('utf8')).toContain('"sequence":0')
  expect(answered.slice(0, 2)).toEqual([0, 1])
  expect(await bed.send(3)).toBe(4)
  const rows = readFileSync(join(bed.layout.reportJournal, '1.jsonl'), 'utf8')
  expect(rows.split('\n')).toHaveLength(3 + 1)
})

test('a report that could not be synced is neither acknowledged nor shown, and the next one goes into a section of its own', async () => {
  await using bed = await openReports()
  await bed.send(1)
  {
    using disk = await holdSync(journalSync)
    const failing = bed.send(2)
    await disk.hangs
    disk.release(new Error('the disk is broken'))
    await expect(failing).rejects.toThrow('the disk is broken')
  }
  expect(bed.there()).toContain('"sequence":1')
  expect(await bed.send(2)).toBeUndefined()
  expect(await bed.send(0)).toBe(2)
  await vi.waitFor(() => expect(bed.sections()).toEqual(['2.jsonl']))
})

test('acknowledged reports whose files a crash left empty are shown again, with their time', async () => {
  await using before = await openReports()
  await before.send(1)
  await before.send(2)
  await before.send(7, other)
  const left = crashed(before.layout)
  const { mtimeMs } = statSync(before.layout.report(host))
  await using after = await openReports(undefined, left)
  expect([after.there(), after.there(other)]).toEqual([before.there(), before.there(other)])
  expect(Math.abs(statSync(left.report(host)).mtimeMs - mtimeMs)).toBeLessThan(1000)
  expect(after.sections()).toEqual([])
  expect(await after.send(1)).toBe(2)
})

test('of several sections the newest has the last word; half a row and what is no row are passed over', async () => {
  const layout = new StoreLayout(scratchDir())
  mkdirSync(layout.reportJournal)
  const row = (sequence: number) =>
    JSON.stringify({
      host,
      received_at: '2026-01-01T00:00:00.000Z',
      report: Buffer.from(JSON.stringify(of(sequence))).toString('base64'),
    })
  writeFileSync(
    join(layout.reportJournal, '10.jsonl'),
    `${row(3)}\nno row\n${row(5).replace('2026', 'never')}\n${row(6).slice(0, -9)}`,
  )
  writeFileSync(join(layout.reportJournal, '9.jsonl'), `${row(2)}\n`)
  await using bed = await openReports(undefined, layout)
  expect(bed.there()).toBe(JSON.stringify(of(3)))
  expect(statSync(layout.report(host)).mtime.toISOString()).toBe('2026-01-01T00:00:00.000Z')
  await bed.send(4)
  expect(bed.sections()).toEqual(['11.jsonl'])
})

test('a newer report of a receiver that keeps no journal stays', async () => {
  await using before = await openReports()
  await before.send(1)
  const left = crashed(before.layout)
  writeFileSync(left.report(host), JSON.stringify(of(2)))
  await using after = await openReports(undefined, left)
  expect(after.there()).toBe(JSON.stringify(of(2)))
})

test('a long section goes once what it holds is synced in its place, and not before', async () => {
  await using bed = await openReports(1)
  await bed.send(1)
  using disk = await holdSync(/\/host-health\/lab-07\.json$/)
  await bed.send(2)
  await disk.hangs
  // The next section grows meanwhile: while one is being synced there is no third.
  for (const sequence of [3, 4, 5]) await bed.send(sequence)
  expect(bed.sections().sort()).toEqual(['1.jsonl', '2.jsonl'])
  disk.release()
  await vi.waitFor(() => expect(bed.sections()).toEqual(['2.jsonl']))
  expect(bed.errors()).toEqual([])
})

test('a long section stays while somebody still writes into it', async () => {
  await using bed = await openReports(1)
  await bed.send(1)
  using disk = await holdSync(/\/report-journal\/1\.jsonl$/)
  const writing = bed.send(2)
  await disk.hangs
  // Some come while the next section is being made, and wait in the first one, too.
  const others: Promise<unknown>[] = []
  await vi.waitFor(() => {
    others.push(bed.send(1, HostName.parse(`lab-1${others.length}`)))
    expect(statSync(join(bed.layout.reportJournal, '2.jsonl')).size).toBeGreaterThan(0)
  })
  for (const sequence of [1, 2, 3, 4, 5]) await bed.send(sequence, other)
  expect(bed.sections().sort()).toEqual(['1.jsonl', '2.jsonl'])
  disk.release()
  await Promise.all([writing, ...others])
  expect(bed.there()).toContain('"sequence":2')
  await vi.waitFor(() => expect(bed.sections()).toEqual(['2.jsonl']))
})

test.each([/\/host-health\/lab-07\.json$/, /\/host-health$/])(
  'after a failed sync of %s every section stays for the next start',
  async (path) => {
    const layout = new StoreLayout(scratchDir())
    {
      await using bed = await openReports(1, layout)
      await bed.send(1)
      using disk = await holdSync(path)
      await bed.send(2)
      await disk.hangs
      disk.release(new Error('the disk is broken'))
      await vi.waitFor(() => expect(bed.errors()).toHaveLength(1))
      await bed.send(3)
      expect(bed.errors()[0]).toContain('their journal is kept')
    }
    expect(readdirSync(layout.reportJournal).sort()).toEqual(['1.jsonl', '2.jsonl'])
    await using before = await open(layout.report(host))
    await using bed = await openReports(undefined, layout)
    expect(bed.there()).toContain('"sequence":3')
    // Written anew: another sync of the same file may call good what the failed one lost.
    expect(statSync(layout.report(host)).ino).not.toBe((await before.stat()).ino)
    expect(bed.sections()).toEqual([])
  },
)

test('sections that a full disk leaves empty do not pile up, though the ones before stay', async () => {
  await using bed = await openReports(1)
  await bed.send(1)
  {
    using disk = await holdSync(/\/host-health$/)
    await bed.send(2)
    await disk.hangs
    disk.release(new Error('the disk is broken'))
    await vi.waitFor(() => expect(bed.errors()).toHaveLength(1))
  }
  await using probe = await open('/proc/self/exe')
  const prototype = Object.getPrototypeOf(probe) as { datasync(): Promise<void> }
  const { datasync } = prototype
  prototype.datasync = () => Promise.reject(new Error('the disk is full'))
  try {
    for (const sequence of [3, 4, 5]) await expect(bed.send(sequence)).rejects.toThrow('the disk is full')
  } finally {
    prototype.datasync = datasync
  }
  await bed.send(6)
  await vi.waitFor(() => expect(bed.sections().sort()).toEqual(['1.jsonl', '5.jsonl']))
})

test('a report that an operator took away is not missed by the sync of its section', async () => {
  const bed = await openReports()
  await bed.send(1)
  rmSync(bed.layout.report(host))
  await bed[Symbol.asyncDispose]()
  expect(bed.errors()).toEqual([])
  expect(existsSync(bed.layout.report(host))).toBe(false)
  expect(bed.sections()).toEqual([])
})

test('where one report cannot be put in place the others are, the receiver starts, and the journal stays', async () => {
  await using before = await openReports()
  await before.send(1)
  const others = Array.from({ length: 20 }, (_, k) => HostName.parse(`lab-1${k}`))
  for (const one of others) await before.send(3, one)
  const left = crashed(before.layout)
  rmSync(left.report(host))
  mkdirSync(join(left.report(host), 'in the way'), { recursive: true })
  await using bed = await openReports(undefined, left)
  expect(bed.errors()).toHaveLength(1)
  for (const one of others) expect(bed.there(one)).toContain('"sequence":3')
  await bed.send(5, other)
  expect(bed.there(other)).toContain('"sequence":5')
  expect(bed.sections().sort()).toEqual(['1.jsonl', '2.jsonl'])
})

test('an older report in a later section, let in while the newer one was not shown, does not win', async () => {
  const layout = new StoreLayout(scratchDir())
  mkdirSync(layout.reportJournal)
  const write = (section: number, sequence: number) => {
    const report = Buffer.from(JSON.stringify(of(sequence))).toString('base64')
    const row = JSON.stringify({ host, received_at: '2026-01-01T00:00:00.000Z', report })
    writeFileSync(join(layout.reportJournal, `${section}.jsonl`), `${row}\n`)
  }
  write(1, 7)
  write(2, 5)
  writeFileSync(join(layout.reportJournal, 'notes.txt'), 'not ours')
  await using bed = await openReports(undefined, layout)
  expect(bed.there()).toContain('"sequence":7')
  expect(bed.sections()).toEqual(['notes.txt'])
})

test('once the receiver stops, no report begins a section that nobody would settle', async () => {
  const bed = await openReports()
  await bed.send(1)
  await bed[Symbol.asyncDispose]()
  await expect(bed.send(2)).rejects.toThrow('the receiver is stopping')
  expect(bed.sections()).toEqual([])
})
