/** Any course of an upload, with cuts and restarts in between, against a model of three numbers. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { EpisodeId, HostName, Sha256 } from '@cis490/shared/ids.ts'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { appendVerdict } from '../../../packages/receiver/src/core/upload-verdict.ts'
import { HashPool } from '../../../packages/receiver/src/store/hashing/hash-pool.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import type { Upload } from '../../../packages/receiver/src/store/upload.ts'
import { UploadPart } from '../../../packages/receiver/src/store/upload-part.ts'
import type { FinalAnswer } from '../../../packages/receiver/src/store/upload-state.ts'
import { Uploads } from '../../../packages/receiver/src/store/uploads.ts'
import { scratchDir } from '../../support/scratch.ts'
import { sha256 } from '../../support/wire.ts'

const length = 3 << 20
const whole = randomBytes(length)
const maxAgeMs = 60_000
const hashes = new HashPool(1, () => undefined)
afterAll(() => hashes[Symbol.asyncDispose]())
const facts = {
  host: HostName.parse('lab-07'),
  id: EpisodeId.parse('of-the-model'),
  sha256: Sha256.parse(sha256(whole)),
  length,
  gate: { kind: 'accept' },
} as const
const answer: FinalAnswer = { problem: { code: 'invalid-episode', detail: '', status: 422, title: '', type: '' } }

/** What has been told of the one upload that there is. */
interface Model {
  exists: boolean
  told: number
  finished: boolean
}

class Real {
  readonly layout = new StoreLayout(scratchDir())
  uploads!: Uploads
  name = ''

  async open(): Promise<void> {
    this.uploads = await Uploads.open(this.layout, maxAgeMs, 0, hashes)
  }
  get upload(): Upload {
    const found = this.uploads.find(this.name, 0)
    if (!found || found === 'expired') throw new Error(`the upload is ${found}`)
    return found
  }
  /** What the next request would be told, and what would be left after a power cut. */
  async agrees(model: Model): Promise<void> {
    if (!model.exists) {
      if (this.name !== '') expect(this.uploads.find(this.name, 0)).toBeUndefined()
      expect([this.uploads.open, this.uploads.reserved(0)]).toEqual([0, 0])
      return
    }
    const { upload } = this
    expect([upload.offset, upload.finished !== undefined]).toEqual([model.told, model.finished])
    expect(this.uploads.reserved(0)).toBe(model.finished ? 0 : length - model.told)
    const state = JSON.parse(readFileSync(upload.paths.state, 'utf8')) as { offset: number }
    expect(state.offset).toBe(model.told)
    if (!model.finished)
      expect(readFileSync(upload.paths.part).subarray(0, model.told).equals(whole.subarray(0, model.told))).toBe(true)
    const known = upload.hash.known(model.told)
    if (known !== undefined && !model.finished) expect(known).toBe(sha256(whole.subarray(0, model.told)))
    if (!model.finished) expect(await hashNow(upload)).toBe(sha256(whole.subarray(0, model.told)))
  }
}

/** Asks whoever followed the file; what was known of it does not count. */
async function hashNow({ hash, paths, offset }: Upload): Promise<string> {
  await using file = await open(paths.part, 'r')
  hash.attach(file, offset)
  try {
    return await hash.digest(offset)
  } finally {
    await hash.detach()
  }
}

type Step = fc.AsyncCommand<Model, Real>

/** Runs the step, then holds the real thing against the model. */
function step(name: string, check: (model: Model) => boolean, run: (model: Model, real: Real) => Promise<void>): Step {
  return {
    check,
    run: async (model, real) => {
      await run(model, real)
      await real.agrees(model)
    },
    toString: () => name,
  }
}

const isOpen = (model: Model) => model.exists && !model.finished

const other = randomBytes(length)

/** Takes the next `bytes` of the whole in two chunks, as a body does; or other ones, where they are not to stay. */
async function taking(real: Real, model: Model, bytes: number, stay: boolean): Promise<{ part: UploadPart; end: number }> {
  const source = stay ? whole : other
  const end = Math.min(length, model.told + bytes)
  const part = await UploadPart.open(real.upload, { maxAgeMs, now: () => 0, settleBytes: undefined })
  const half = model.told + Math.floor((end - model.told) / 2)
  await part.take(Buffer.from(source.subarray(model.told, half)))
  await part.take(Buffer.from(source.subarray(half, end)))
  return { part, end }
}

const create = step(
  'create',
  (model) => !model.exists,
  async (model, real) => {
    real.name = (await real.uploads.create(facts, 0)).name
    Object.assign(model, { exists: true, told: 0, finished: false })
  },
)
const createAgain = step('find the open one', isOpen, async (_model, real) => {
  const { host, id } = facts
  expect(real.uploads.openFor({ host, id }, { sha256: facts.sha256, length }, 0)?.name).toBe(real.name)
  expect(real.uploads.openFor({ host, id }, { sha256: facts.sha256, length: length + 1 }, 0)).toBeUndefined()
})
const append = (bytes: number) =>
  step(`append ${bytes}`, isOpen, async (model, real) => {
    using _turn = await real.upload.turn()
    const { part, end } = await taking(real, model, bytes, true)
    await part.settle()
    await part[Symbol.asyncDispose]()
    model.told = end
  })
const takeBack = (bytes: number) =>
  step(`take back ${bytes}`, isOpen, async (model, real) => {
    using _turn = await real.upload.turn()
    const { part } = await taking(real, model, bytes, false)
    await part.takeBack()
    await part[Symbol.asyncDispose]()
  })
const crash = (bytes: number) =>
  step(`die inside an append of ${bytes}`, isOpen, async (model, real) => {
    const { part } = await taking(real, model, bytes, false)
    await part[Symbol.asyncDispose]()
    await real.open()
    expect(readFileSync(real.upload.paths.part).length).toBe(model.told)
  })
/** A long append moves the offset on its way: what it has moved stays. */
const crashOnTheWay = step('die inside a long append', isOpen, async (model, real) => {
  const part = await UploadPart.open(real.upload, { maxAgeMs, now: () => 0, settleBytes: 1 << 20 })
  const piece = 300_000
  for (let at = model.told; at < length; at += piece)
    await part.take(Buffer.from(whole.subarray(at, Math.min(length, at + piece))))
  await part[Symbol.asyncDispose]()
  await real.open()
  const { offset } = real.upload
  expect(offset).toBeGreaterThanOrEqual(model.told)
  model.told = offset
})
const wrongOffset = (offset: number) =>
  step(
    `append at ${offset}`,
    (model) => isOpen(model) && model.told !== offset,
    async (model, real) => {
      const asked = {
        offset,
        complete: false,
        length: undefined,
        contentLength: 5,
        contentDigest: undefined,
        expectsContinue: false,
      }
      const verdict = appendVerdict({ offset: real.upload.offset, length, finished: false }, asked)
      const members = { 'expected-offset': model.told, 'provided-offset': offset }
      expect(verdict).toMatchObject({ kind: 'refuse', invalid: false, refused: { code: 'mismatching-upload-offset', members } })
    },
  )
const restart = step(
  'restart',
  () => true,
  async (_model, real) => {
    await real.uploads[Symbol.asyncDispose]()
    await real.open()
  },
)
const finish = step(
  'finish',
  (model) => isOpen(model) && model.told === length,
  async (model, real) => {
    expect(await real.upload.sha256()).toBe(facts.sha256)
    await real.uploads.finish(real.upload, answer, 0)
    expect(real.upload.finished).toEqual(answer)
    model.finished = true
  },
)
const remove = step(
  'delete',
  (model) => model.exists,
  async (model, real) => {
    await real.uploads.remove(real.upload)
    Object.assign(model, { exists: false, told: 0, finished: false })
  },
)

test('an upload never has less than was told, never other bytes, and ends with its own hash', { timeout: 120_000 }, async () => {
  const amount = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: length }))
  const steps = fc.commands(
    [
      fc.constant(create),
      fc.constant(createAgain),
      amount.map(append),
      amount.map(append),
      amount.map(takeBack),
      amount.map(crash),
      fc.constant(crashOnTheWay),
      fc.nat(length).map(wrongOffset),
      fc.constant(restart),
      fc.constant(finish),
      fc.constant(remove),
    ],
    { maxCommands: 25, size: 'max' },
  )
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const real = new Real()
      mkdirSync(real.layout.incoming, { recursive: true })
      await real.open()
      const setup = () => ({ model: { exists: false, told: 0, finished: false }, real })
      await fc.asyncModelRun(setup, commands)
      await real.uploads[Symbol.asyncDispose]()
      rmSync(real.layout.root, { recursive: true })
    }),
    { numRuns: 40 },
  )
})
