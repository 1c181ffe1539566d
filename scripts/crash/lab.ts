/** Where points happen: prepared folders, fresh copies of them, programs to interrupt, and one that looks afterwards. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { UserError } from '@cis490/shared/node/cli.ts'
import type { LoopDisk } from './loop-disk.ts'
import type { Checked, Finding, Place, Scenario } from './scenario.ts'
import { type Arming, buildShim, type Operation, readOperations } from './shim.ts'
import type { Job } from './worker.ts'
import { type Ended, WorkerProcess } from './worker-process.ts'

/** Of this checkout. */
export const repository = fileURLToPath(new URL('../..', import.meta.url))

export interface LabOptions {
  /** Sources that are run; those of this checkout where left out. */
  readonly root?: string | undefined
  readonly shim: string
  /** Where the folders of the points lie. */
  readonly folder: string
}

/** A folder for everything, in memory where the system has room there: only a power cut asks what reached the disk. */
export function makeScratch(): string {
  try {
    return mkdtempSync('/dev/shm/cis490-crash-')
  } catch {
    return mkdtempSync(join(tmpdir(), 'cis490-crash-'))
  }
}

export { buildShim }

export function defaultJobs(): number {
  return Math.max(1, availableParallelism())
}

/** One lane: points one after the other. Lanes share nothing but the prepared folders. */
export class Lane implements AsyncDisposable {
  readonly #root: string
  readonly #shim: string
  readonly #folder: string
  readonly #cache: string
  readonly disk: LoopDisk | undefined
  #victim: WorkerProcess | undefined
  #witness: WorkerProcess | undefined
  #witnessed = 0

  constructor({ root = repository, shim, folder }: LabOptions, disk?: LoopDisk) {
    this.#root = root
    this.#shim = shim
    this.#folder = mkdtempSync(join(folder, 'lane-'))
    this.#cache = cacheIn(folder)
    this.disk = disk
  }

  /** A copy of what `prepare` made. */
  freshPlace(template: Place): Place {
    const disk = join(this.disk?.mountPoint ?? this.#folder, 'disk')
    copyFolder(template.disk, disk)
    this.disk?.settle()
    return { disk, aside: template.aside }
  }

  /** A copy beside it, for a state that several points begin with. */
  keep(place: Place, name: string): Place {
    const disk = join(this.#folder, name)
    copyFolder(place.disk, disk)
    return { disk, aside: place.aside }
  }

  /** Runs `act` in the preloaded program. A program that ended is replaced. */
  async interrupt(
    job: Omit<Job, 'arming' | 'scenario'>,
    scenario: Scenario,
    arming: Omit<Arming, 'prefix' | 'exclude'>,
  ): Promise<Ended> {
    this.#victim ??= new WorkerProcess(this.#root, this.#cache, this.#shim)
    const victim = this.#victim
    const whole: Arming = { ...arming, prefix: job.place.disk, exclude: scenario.exclude }
    const ended = await victim.run({ ...job, scenario: scenario.name, arming: whole })
    if (ended.how !== 'done') {
      await victim[Symbol.asyncDispose]()
      // The next one loads its modules while this point is looked at.
      this.#victim = new WorkerProcess(this.#root, this.#cache, this.#shim)
    }
    return ended
  }

  /** Runs it once without any fault. @returns the calls that it makes */
  async record(
    act: 'work' | 'restart',
    scenario: Scenario,
    place: Place,
    reads = false,
  ): Promise<{ operations: Operation[]; ended: Ended }> {
    const log = join(this.#folder, 'operations.log')
    const ended = await this.interrupt({ act, place }, scenario, { at: 0, mode: 'log', log, reads })
    return { operations: existsSync(log) ? readOperations(log) : [], ended }
  }

  async check(scenario: Scenario, place: Place, checked: Checked): Promise<readonly Finding[]> {
    // Starting hundreds of receivers in one process leaves things behind; they must not add up.
    if (this.#witnessed++ % 200 === 199) await this.#endWitness()
    this.#witness ??= new WorkerProcess(this.#root, this.#cache, undefined)
    const { how, message, findings } = await this.#witness.run({ act: 'check', scenario: scenario.name, place, checked })
    if (how === 'done') return findings
    await this.#endWitness()
    return [{ kind: 'stuck', detail: `after the restart: ${how}: ${message}` }]
  }

  async #endWitness(): Promise<void> {
    await this.#witness?.[Symbol.asyncDispose]()
    this.#witness = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#victim?.[Symbol.asyncDispose]()
    await this.#endWitness()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Runs `prepare` once, in a process of its own. */
export async function prepareTemplate(options: LabOptions, scenario: Scenario): Promise<Place> {
  const base = join(options.folder, `template-${scenario.name}`)
  const place = { disk: join(base, 'disk'), aside: join(base, 'aside') }
  mkdirSync(place.disk, { recursive: true })
  mkdirSync(place.aside)
  await using worker = new WorkerProcess(options.root ?? repository, cacheIn(options.folder), undefined)
  const { how, message } = await worker.run({ act: 'prepare', scenario: scenario.name, place })
  if (how !== 'done') throw new UserError(`the scenario ${scenario.name} cannot be prepared: ${message}`)
  return place
}

function cacheIn(folder: string): string {
  return join(folder, 'compiled')
}

function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
}
