/** Two hundred damages of eight kinds, one by one and several at once: each is found by its kind, a repair leaves a clean store, and nothing undamaged is gone. */
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { expect, onTestFinished, test } from 'vitest'
import { repairStore } from '../../../packages/receiver/src/commands/repair-store.ts'
import type { FindingKind } from '../../../packages/receiver/src/core/finding.ts'
import { Picture } from '../../../packages/receiver/src/store/fsck/look.ts'
import { type EpisodeKey, StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { readLosses } from '../../../packages/receiver/src/store/losses.ts'
import { TestStore } from '../../support/store.ts'

const seed = 490
const episodes = 12
/** What is synced and when is another test's: here the disk is only in the way. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Mulberry32: the same damages in every run. */
function randomFrom(state: number): (below: number) => number {
  let a = state
  return (below) => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}
type Random = ReturnType<typeof randomFrom>

class Damaged {
  readonly layout: StoreLayout
  /** Episodes whose archive is damaged or gone. */
  readonly hurt = new Set<string>()
  constructor(layout: StoreLayout) {
    this.layout = layout
  }
  key = (id: string): EpisodeKey => ({ host: HostName.parse('lab-07'), id: EpisodeId.parse(id) })
  lines(): string[] {
    return readFileSync(this.layout.index, 'utf8').trimEnd().split('\n')
  }
  edit(change: (lines: string[]) => string[]): void {
    writeFileSync(this.layout.index, `${change(this.lines()).join('\n')}\n`)
  }
  lineOf(id: string): number {
    return this.lines().findIndex((line) => line.includes(`"id":"${id}"`))
  }
}

interface Kind {
  readonly name: string
  /** One of these is found. */
  readonly found: readonly FindingKind[]
  damage(store: Damaged, id: string, random: Random): void
}

const kinds: readonly Kind[] = [
  {
    name: 'bit flip',
    found: ['wrong-hash'],
    damage: (store, id, random) => {
      const path = store.layout.archive(store.key(id))
      const bytes = readFileSync(path)
      const at = random(bytes.length)
      bytes[at] = (bytes[at] as number) ^ (1 << random(8))
      writeFileSync(path, bytes)
      store.hurt.add(id)
    },
  },
  {
    name: 'truncation',
    found: ['wrong-size'],
    damage: (store, id, random) => {
      const path = store.layout.archive(store.key(id))
      truncateSync(path, random(readFileSync(path).length))
      store.hurt.add(id)
    },
  },
  {
    name: 'missing row',
    // A row whose id was edited may have become the missing one.
    found: ['archive-without-row', 'sidecar-differs'],
    damage: (store, id) => store.edit((lines) => lines.filter((_, k) => k !== store.lineOf(id))),
  },
  {
    name: 'missing file',
    found: ['row-without-archive'],
    damage: (store, id) => {
      unlinkSync(store.layout.archive(store.key(id)))
      store.hurt.add(id)
    },
  },
  {
    name: 'missing sidecar',
    found: ['archive-without-sidecar'],
    damage: (store, id) => unlinkSync(store.layout.sidecar(store.key(id))),
  },
  {
    name: 'duplicate row',
    found: ['duplicate-row'],
    damage: (store, id, random) =>
      store.edit((lines) => {
        const line = lines[store.lineOf(id)] as string
        return lines.toSpliced(random(lines.length + 1), 0, line)
      }),
  },
  {
    name: 'NUL tail',
    found: ['torn-tail'],
    damage: (store, _id, random) => appendFileSync(store.layout.index, '\0'.repeat(1 + random(5000))),
  },
  {
    name: 'edited row',
    // An edited id speaks of another episode.
    found: ['broken-chain', 'sidecar-differs', 'damaged-row', 'archive-without-row'],
    damage: (store, id, random) =>
      store.edit((lines) => {
        const at = store.lineOf(id)
        const line = lines[at] as string
        const digits = [...line.matchAll(/[0-9]/g)].map((match) => match.index)
        const place = digits[random(digits.length)] as number
        const other = String((Number(line[place]) + 1 + random(9)) % 10)
        return lines.with(at, `${line.slice(0, place)}${other}${line.slice(place + 1)}`)
      }),
  },
]

interface Original {
  readonly root: string
  readonly ids: readonly string[]
}

async function original(): Promise<Original> {
  const store = new TestStore()
  const ids = Array.from({ length: episodes }, (_, k) => `ep-${String(k + 1).padStart(2, '0')}`)
  for (const id of ids) await store.put(id)
  return { root: store.layout.root, ids }
}

/** Bytes of archive and receipt of the episodes that were not hurt. */
function wellOnes({ layout, hurt, key }: Damaged, ids: readonly string[]): Record<string, string> {
  const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
  const well = ids.filter((id) => !hurt.has(id))
  return Object.fromEntries(
    well.map((id) => [id, `${hash(layout.archive(key(id)))} ${readFileSync(layout.sidecar(key(id)), 'utf8')}`]),
  )
}

function receiptsInRows(store: Damaged): string[] {
  return store.lines().map((line) => {
    const { seq: _seq, prev: _prev, ...receipt } = JSON.parse(line) as Record<string, unknown>
    return JSON.stringify(receipt)
  })
}

const look = (layout: StoreLayout) => Picture.take(layout, { hashes: 'always', running: () => false })

/** @returns the damages that were not found by their kind, with the episode or the index named; and what was found */
async function round(from: Original, damages: readonly { kind: Kind; id: string }[], random: Random): Promise<string[]> {
  const root = mkdtempSync(join(memory, 'cis490-corruptions-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  cpSync(from.root, root, { recursive: true, preserveTimestamps: true })
  const store = new Damaged(new StoreLayout(root))
  const asItWas = wellOnes(store, from.ids)
  for (const { kind, id } of damages) kind.damage(store, id, random)
  const picture = await look(store.layout)
  const found = picture.findings()
  const missed = damages.filter(
    ({ kind, id }) =>
      !found.some((one) => kind.found.includes(one.kind) && (one.key?.id === id || one.at.startsWith('index.jsonl'))),
  )
  const { lost } = await repairStore(store.layout, picture)
  const what = damages.map(({ kind, id }) => `${kind.name} of ${id}`).join(', ')
  expect((await look(store.layout)).findings(), what).toEqual([])
  expect(lost.map(({ id }) => id).sort(), what).toEqual([...store.hurt].sort())
  expect((await readLosses(store.layout)).length, what).toBe(store.hurt.size)
  const well = from.ids.filter((id) => !store.hurt.has(id))
  expect(wellOnes(store, from.ids), what).toEqual(Object.fromEntries(well.map((id) => [id, asItWas[id]])))
  const receipts = well.map((id) => readFileSync(store.layout.sidecar(store.key(id)), 'utf8'))
  expect(receiptsInRows(store).sort(), what).toEqual(receipts.sort())
  // What was hurt is kept, as far as it was there.
  for (const { kept } of lost) for (const path of kept) expect(existsSync(join(root, path)), path).toBe(true)
  rmSync(root, { recursive: true })
  return missed.map(({ kind, id }) => `${kind.name} of ${id}, among ${what}: ${JSON.stringify(found)}`)
}

test('200 damages: all are found, all are mended or written down, and nothing else changes', async () => {
  const random = randomFrom(seed)
  const from = await original()
  const missed: string[] = []
  let injected = 0
  for (let k = 0; k < 5; k += 1)
    for (const kind of kinds) {
      missed.push(...(await round(from, [{ kind, id: from.ids[random(episodes)] as string }], random)))
      injected += 1
    }
  for (let k = 0; k < 20; k += 1) {
    const ids = from.ids.map((id) => ({ id, at: random(1000) })).toSorted((a, b) => a.at - b.at)
    const all = kinds.map((kind, n) => ({ kind, id: (ids[n] as { id: string }).id }))
    // The end of the file is damaged last: what follows it would be no end.
    const ordered = all.toSorted((a, b) => Number(a.kind.name === 'NUL tail') - Number(b.kind.name === 'NUL tail'))
    missed.push(...(await round(from, ordered, random)))
    injected += ordered.length
  }
  expect(missed).toEqual([])
  expect(injected).toBe(200)
})

/** Of one episode its receipt is gone, and one character of its row is another. */
test('pairs of faults on one episode: whatever was edited in its row, an archive that is whole is not written off', async () => {
  const random = randomFrom(seed)
  const from = await original()
  const sidecarGone = kinds.find(({ name }) => name === 'missing sidecar') as Kind
  const rowEdited = kinds.find(({ name }) => name === 'edited row') as Kind
  const row = JSON.parse(new Damaged(new StoreLayout(from.root)).lines()[0] as string) as Record<string, unknown>
  // Each field in turn, in the first row, one in the middle, and the last one, which no other vouches for.
  for (const field of ['id', 'host', 'sha256', 'bytes', 'received_at', 'commit', 'seq', 'prev'])
    for (const id of [from.ids[0], from.ids[1 + random(episodes - 2)], from.ids.at(-1)] as string[]) {
      expect(row).toHaveProperty(field)
      const edited: Kind = {
        ...rowEdited,
        damage: (store) => store.edit((lines) => editField(lines, store.lineOf(id), field, random)),
      }
      await pair(from, id, [edited, sidecarGone], field)
    }
  for (let k = 0; k < 16; k += 1) {
    const id = from.ids[random(episodes)] as string
    await pair(from, id, [rowEdited, sidecarGone], `any of its digits, ${k}`, random)
  }
})

function editField(lines: string[], at: number, field: string, random: Random): string[] {
  const line = lines[at] as string
  const [before] = line.split(`"${field}":`) as [string]
  const value = before.length + field.length + 3
  const digits = [
    ...line
      .slice(value, value + 60)
      .split(/,"/, 1)
      .join()
      .matchAll(/[0-9]/g),
  ].map(({ index }) => value + index)
  const place = digits[random(digits.length)] as number
  // Never a leading zero: a line that is no JSON is no row at all.
  const digit = String(((Number(line[place]) + random(8)) % 9) + 1)
  const other = digit === line[place] ? String((Number(digit) % 9) + 1) : digit
  return lines.with(at, `${line.slice(0, place)}${other}${line.slice(place + 1)}`)
}

async function pair(from: Original, id: string, faults: readonly Kind[], what: string, random = randomFrom(1)): Promise<void> {
  const root = mkdtempSync(join(memory, 'cis490-corruptions-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  cpSync(from.root, root, { recursive: true, preserveTimestamps: true })
  const store = new Damaged(new StoreLayout(root))
  const was = readFileSync(store.layout.archive(store.key(id)))
  for (const fault of faults) fault.damage(store, id, random)
  // As `--repair` looks: only what is doubtful is read.
  const picture = await Picture.take(store.layout, { hashes: 'doubtful', running: () => false })
  expect(picture.findings(), what).not.toEqual([])
  await repairStore(store.layout, picture)
  expect([await readLosses(store.layout), (await look(store.layout)).findings()], `${what} of ${id}`).toEqual([[], []])
  expect(readFileSync(store.layout.archive(store.key(id))).equals(was), what).toBe(true)
  expect(
    receiptsInRows(store)
      .map((text) => (JSON.parse(text) as { id: string }).id)
      .sort(),
    what,
  ).toEqual([...from.ids])
  rmSync(root, { recursive: true })
}
