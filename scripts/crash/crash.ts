/** A whole run: every chosen scenario in every chosen form. */
import { rmSync } from 'node:fs'
import type { ProgressStream } from '@cis490/shared/node/progress.ts'
import { execute } from './execute.ts'
import { buildShim, type LabOptions, Lane, makeScratch, prepareTemplate } from './lab.ts'
import { type FileSystem, LoopDisk, whyNoPowerCuts } from './loop-disk.ts'
import type { CrashOptions, FormName } from './options.ts'
import {
  errnoTasks,
  full,
  killTasks,
  namedTask,
  type Prepared,
  powerTasks,
  quick,
  recoveryTasks,
  rehearse,
  type Task,
} from './plan.ts'
import { loadScenario } from './scenarios.ts'
import { Tally } from './tally.ts'

export interface Run {
  readonly tally: Tally
  /** What could not be tried, and why. */
  readonly leftOut: readonly string[]
  /** Findings of a run without any fault: then nothing below means anything. */
  readonly unsound: readonly string[]
}

export interface Bench extends AsyncDisposable {
  readonly options: LabOptions
  readonly lanes: readonly Lane[]
}

/** Scratch folder, library and lanes; all gone at the end. @param root other sources than those of this checkout */
export async function makeBench(jobs: number, root?: string): Promise<Bench> {
  const folder = makeScratch()
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const options: LabOptions = { shim: await buildShim(folder), folder, root }
  const lanes = Array.from({ length: jobs }, () => new Lane(options))
  return {
    options,
    lanes,
    [Symbol.asyncDispose]: async () => {
      for (const lane of lanes) await lane[Symbol.asyncDispose]()
      remove()
      process.off('exit', remove)
    },
  }
}

export async function prepareAll(bench: Bench, names: readonly string[]): Promise<Prepared[]> {
  const prepared: Prepared[] = []
  for (const name of names) {
    const scenario = await loadScenario(name)
    prepared.push(await rehearse(bench.lanes[0] as Lane, scenario, await prepareTemplate(bench.options, scenario)))
  }
  return prepared
}

export async function crash(options: CrashOptions, stream: ProgressStream | undefined): Promise<Run> {
  await using bench = await makeBench(options.jobs)
  const leftOut: string[] = []
  const prepared = await prepareAll(bench, options.scenarios)
  const tally = new Tally((name) => prepared.find(({ scenario }) => scenario.name === name)?.scenario.side ?? '')
  const unsound = prepared.flatMap(({ scenario, findings }) =>
    findings.map(({ kind, detail }) => `${scenario.name}: ${kind}: ${detail}`),
  )
  if (unsound.length > 0) return { tally, leftOut, unsound }
  const wants = (form: FormName) => options.forms.includes(form)
  for (const form of ['kill', 'recovery', 'errno'] as const) {
    if (!wants(form)) continue
    const tasks = prepared.flatMap((one) => tasksOf(one, form, options))
    await execute(tasks, bench.lanes, (result) => tally.add(result), { label: form.padEnd(8), stream })
  }
  for (const kind of ['ext4', 'xfs'] as const) {
    if (!wants('power') && !wants(kind)) continue
    const why = whyNoPowerCuts(kind, bench.options.folder)
    if (why !== undefined) leftOut.push(`power cuts on ${kind}: ${why}`)
    else await powerCuts(kind, bench, prepared, options, tally, stream)
  }
  return { tally, leftOut, unsound }
}

type Density = typeof full

function tasksOf(one: Prepared, form: 'kill' | 'recovery' | 'errno' | FileSystem, options: CrashOptions): Task[] {
  if (options.point !== undefined) {
    const task = namedTask(one, form, options.point)
    return task ? [task] : []
  }
  const density: Density = options.quick ? quick : full
  if (form === 'kill') return killTasks(one, density, options.seed)
  if (form === 'recovery') return recoveryTasks(one, density, options.seed)
  if (form === 'errno') return errnoTasks(one, density, options.seed)
  return powerTasks(one, density, options.seed)
}

async function powerCuts(
  kind: FileSystem,
  bench: Bench,
  prepared: readonly Prepared[],
  options: CrashOptions,
  tally: Tally,
  stream: ProgressStream | undefined,
): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const lanes = bench.lanes.map((_, k) => {
    const disk = stack.use(new LoopDisk(kind, bench.options.folder, `${kind}-${k}`))
    return stack.use(new Lane(bench.options, disk))
  })
  const tasks = prepared.flatMap((one) => tasksOf(one, kind, options))
  await execute(tasks, lanes, (result) => tally.add(result), { label: kind.padEnd(8), stream })
}
