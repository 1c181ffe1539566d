/** The outbox against a model: whatever happens in whatever order, nothing that was recorded is lost without a receipt or a tombstone. */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EpisodeId, timestamp } from '@cis490/shared/ids.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { AgentConfig } from '../../../packages/agent/src/config.ts'
import type { Lane } from '../../../packages/agent/src/outbox/entry.ts'
import { Outbox } from '../../../packages/agent/src/outbox/outbox.ts'
import { recordEpisode } from '../../support/agent-home.ts'
import { capturedLog } from '../../support/captured-log.ts'

const ids = ['a', 'b', 'c'].map((id) => EpisodeId.parse(id))

/** What is known of one episode id. */
interface Known {
  /** Its folder is there. */
  folder: boolean
  /** The entry: what its archive hashes to. */
  entry?: { lane: Lane; sha256: string } | undefined
  /** Of which bytes there is a receipt. */
  receipt?: string
  tombstone: boolean
  /** A person took the folder away before it was packed: nobody but he has lost it. */
  takenAway: boolean
  recorded: boolean
  /** The recorder wrote to it after it was packed. */
  changed: boolean
}

interface Model {
  readonly known: Map<EpisodeId, Known>
  readonly strict: boolean
}

class Real {
  readonly root = mkdtempSync(join(tmpdir(), 'cis490-model-'))
  readonly home = {
    root: this.root,
    episodes: join(this.root, 'episodes'),
    outbox: join(this.root, 'outbox'),
    state: join(this.root, 'state'),
    config: '',
  }
  readonly config: AgentConfig
  outbox!: Outbox

  constructor(ship: object, quota: object) {
    const { episodes, outbox, state } = this.home
    mkdirSync(episodes)
    this.config = AgentConfig.parse({
      receiver: { url: 'http://127.0.0.1:1' },
      paths: { episodes, outbox, state },
      ship,
      quota: { reserve: 0, ...quota },
    })
  }

  async open(): Promise<void> {
    const { log } = capturedLog()
    this.outbox = await Outbox.open({ outboxDir: this.home.outbox, stateDir: this.home.state, log, now: Date.now })
  }

  async scan() {
    return await scan({ config: this.config, outbox: this.outbox, log: capturedLog().log, now: Date.now })
  }

  async close(): Promise<void> {
    await this.outbox[Symbol.asyncDispose]()
  }

  rows(name: string): Record<string, unknown>[] {
    const text = readFileSync(join(this.home.state, name), 'utf8')
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }
}

function of(model: Model, id: EpisodeId): Known {
  return model.known.get(id) as Known
}

/** I1, I4 and I9, from the files alone. */
async function checkInvariants(model: Model, real: Real): Promise<void> {
  const entries = await real.outbox.entries()
  const [receipts, tombstones] = [real.rows('receipts.jsonl'), real.rows('tombstones.jsonl')]
  for (const { id, sha256, bytes } of entries) {
    const archive = readFileSync(real.outbox.archivePath(id))
    expect({ id, sha256, bytes }).toEqual({ id, sha256: sha256Of(archive), bytes: archive.length })
  }
  expect(entries.map(({ id, lane, sha256 }) => [id, { lane, sha256 }])).toEqual(
    [...model.known].flatMap(([id, { entry }]) => (entry ? [[id, entry]] : [])),
  )
  for (const [id, known] of model.known) {
    expect(existsSync(join(real.home.episodes, id))).toBe(known.folder)
    if (known.receipt !== undefined) expect(receipts.map((row) => [row['id'], row['sha256']])).toContainEqual([id, known.receipt])
    const buried = tombstones.some((row) => row['id'] === id)
    expect(buried || !known.tombstone).toBe(true)
    const safe =
      known.folder || existsSync(real.outbox.archivePath(id)) || known.receipt !== undefined || buried || known.takenAway
    expect({ id, recorded: known.recorded, safe: safe || !known.recorded }).toEqual({ id, recorded: known.recorded, safe: true })
  }
}

function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

type Step = fc.AsyncCommand<Model, Real>

function step(name: string, may: (model: Model) => boolean, run: (model: Model, real: Real) => Promise<void>): Step {
  return {
    check: may,
    run: async (model, real) => {
      await run(model, real)
      await checkInvariants(model, real)
    },
    toString: () => name,
  }
}

const record = (id: EpisodeId, size: number) =>
  step(
    `record ${id}`,
    (model) => !of(model, id).folder && !of(model, id).recorded,
    async (model, real) => {
      recordEpisode(real.home, id, { data: 'x'.repeat(size) })
      Object.assign(of(model, id), { folder: true, recorded: true })
    },
  )

const writeMore = (id: EpisodeId) =>
  step(
    `write more into ${id}`,
    (model) => of(model, id).folder,
    async (model, real) => {
      appendFileSync(join(real.home.episodes, id, 'data'), 'more')
      of(model, id).changed = true
    },
  )

const takeAway = (id: EpisodeId) =>
  step(
    `a person deletes the folder of ${id}`,
    (model) => of(model, id).folder,
    async (model, real) => {
      rmSync(join(real.home.episodes, id), { recursive: true })
      const known = of(model, id)
      Object.assign(known, { folder: false, takenAway: known.takenAway || known.entry === undefined })
    },
  )

const runScan = () =>
  step(
    'scan',
    () => true,
    async (model, real) => {
      const { packed, later, freed } = await real.scan()
      for (const [id, known] of model.known) {
        const there = existsSync(join(real.home.episodes, id))
        // The agent deletes a folder only on a receipt for it, and never one that changed since.
        if (known.folder && !there)
          expect({ id, receipt: known.receipt !== undefined, changed: known.changed }).toEqual({
            id,
            receipt: true,
            changed: false,
          })
        if (freed.some((one) => one.id === id)) known.tombstone = true
        known.folder = there
        const entry = packed.find((one) => one.id === id)
        const may = there && !known.entry && known.receipt === undefined && !known.tombstone && !known.changed
        if (model.strict) expect({ id, packed: entry !== undefined }).toEqual({ id, packed: may })
        else if (may && !entry) expect(later.map((one) => [one.id, one.reason])).toContainEqual([id, 'quota'])
        if (entry) known.entry = { lane: 'ready', sha256: entry.sha256 }
      }
      expect(readdirSync(real.home.outbox).filter((name) => name.endsWith('.part'))).toEqual([])
    },
  )

const deliver = (id: EpisodeId) =>
  step(
    `deliver ${id}`,
    (model) => of(model, id).entry !== undefined,
    async (model, real) => {
      const entry = await real.outbox.find(id)
      if (!entry) throw new Error(`${id} is not there`)
      const receipt = { id, host: 'lab-07', sha256: entry.sha256, bytes: entry.bytes, received_at: timestamp(Date.now()) }
      await real.outbox.settleDelivered(entry, JSON.stringify(receipt))
      Object.assign(of(model, id), { entry: undefined, receipt: entry.sha256 })
    },
  )

const deliverWrongly = (id: EpisodeId) =>
  step(
    `a receipt for other bytes of ${id}`,
    (model) => of(model, id).entry !== undefined,
    async (_, real) => {
      const entry = await real.outbox.find(id)
      if (!entry) throw new Error(`${id} is not there`)
      const receipt = { id, host: 'lab-07', sha256: 'f'.repeat(64), bytes: entry.bytes, received_at: timestamp(Date.now()) }
      await expect(real.outbox.settleDelivered(entry, JSON.stringify(receipt))).rejects.toThrow('not one for')
    },
  )

const toLane = (id: EpisodeId, lane: Lane) =>
  step(
    `${id} is ${lane}`,
    (model) => of(model, id).entry !== undefined,
    async (model, real) => {
      const entry = await real.outbox.find(id)
      if (!entry) throw new Error(`${id} is not there`)
      await real.outbox.update({ ...entry, lane, attempts: entry.attempts + 1 })
      Object.assign(of(model, id).entry as object, { lane })
    },
  )

const drop = (id: EpisodeId) =>
  step(
    `drop ${id}`,
    () => true,
    async (model, real) => {
      const known = of(model, id)
      expect(await real.outbox.drop(id, 'not wanted', 'ada')).toBe(known.entry !== undefined)
      if (known.entry) Object.assign(known, { entry: undefined, tombstone: true })
    },
  )

const reopen = () =>
  step(
    'open anew',
    () => true,
    async (_, real) => {
      await real.close()
      await real.open()
    },
  )

/** What a crash leaves: unfinished files, a sidecar whose archive is gone, half a row. */
const crash = () =>
  step(
    'a crash leaves its litter',
    () => true,
    async (_, real) => {
      await real.close()
      writeFileSync(join(real.home.outbox, 'x.tar.zst.part'), 'half')
      writeFileSync(join(real.home.outbox, 'y.json'), '{}')
      for (const name of ['receipts.jsonl', 'tombstones.jsonl', 'packed.jsonl'])
        appendFileSync(join(real.home.state, name), `{"id":"a","sha256":"${'e'.repeat(64)}","received_at":"2026`)
      await real.open()
    },
  )

/** The power went between the receipt and the deletion of its archive. */
const diedAfterReceipt = (id: EpisodeId) =>
  step(
    `it died between the receipt of ${id} and the deletion`,
    (model) => of(model, id).entry !== undefined,
    async (model, real) => {
      const entry = await real.outbox.find(id)
      if (!entry) throw new Error(`${id} is not there`)
      await real.close()
      const receipt = { id, host: 'lab-07', sha256: entry.sha256, bytes: entry.bytes, received_at: timestamp(Date.now()) }
      appendFileSync(join(real.home.state, 'receipts.jsonl'), `${JSON.stringify(receipt)}\n`)
      await real.open()
      of(model, id).receipt = entry.sha256
      // Still an entry, until the scan that follows reclaims it.
      await checkInvariants(model, real)
      of(model, id).entry = undefined
      await runScan().run(model, real)
    },
  )

const commands = (size: number) => {
  const id = fc.constantFrom(...ids)
  const kinds: fc.Arbitrary<Step>[] = [
    // What leads somewhere is more frequent.
    ...[1, 2].map(() => id.map((one) => record(one, size))),
    ...[1, 2, 3].map(() => fc.constant(runScan())),
    ...[1, 2].map(() => id.map(deliver)),
    id.map(deliverWrongly),
    fc.tuple(id, fc.constantFrom<Lane>('gated', 'quarantine', 'ready')).map(([one, lane]) => toLane(one, lane)),
    id.map(drop),
    id.map(takeAway),
    id.map(writeMore),
    id.map(diedAfterReceipt),
    fc.constant(reopen()),
    fc.constant(crash()),
  ]
  return fc.commands(kinds, { maxCommands: 30, size: 'max' })
}

test.each([
  { name: 'folders go with their receipt', ship: {}, quota: {}, strict: true },
  { name: 'second copies stay', ship: { keep_shipped: '1MiB' }, quota: {}, strict: true },
  {
    name: 'second copies make room',
    ship: { keep_shipped: '1MiB' },
    quota: { bytes: '3KiB', policy: 'drop-oldest-delivered' },
    strict: false,
  },
])('$name: whatever happens, nothing is lost', { timeout: 60_000 }, async ({ ship, quota, strict }) => {
  await fc.assert(
    fc.asyncProperty(commands(1000), async (steps) => {
      const real = new Real(ship, quota)
      try {
        await real.open()
        const known = () => ({ folder: false, tombstone: false, takenAway: false, recorded: false, changed: false })
        const setup = () => ({ model: { known: new Map(ids.map((id) => [id, known()])), strict }, real })
        await fc.asyncModelRun(setup, steps)
      } finally {
        await real.close()
        rmSync(real.root, { recursive: true })
      }
    }),
    { numRuns: 25 },
  )
})
