/** A whole run: every chosen scenario in every chosen form. */
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import type { ProgressStream } from '@cis490/shared/node/progress.ts'
import { makeBench, prepareAll, withDisks } from './bench.ts'
import { execute } from './execute.ts'
import type { Form } from './forms.ts'
import type { Lane } from './lab.ts'
import { whyNoPowerCuts } from './loop-disk.ts'
import { type Hunted, huntAll } from './mutants/hunt.ts'
import { mutants } from './mutants.ts'
import type { CrashOptions, FormName } from './options.ts'
import { full, namedTask, type Prepared, quick, type Task, tasksOf } from './plan.ts'
import { Tally } from './tally.ts'

export interface Run {
  readonly tally: Tally
  /** What could not be tried, and why. */
  readonly leftOut: readonly string[]
  /** Findings of a run without any fault: then nothing below means anything. */
  readonly unsound: readonly string[]
  readonly hunted: readonly Hunted[]
}

export async function crash(options: CrashOptions, stream: ProgressStream | undefined): Promise<Run> {
  await using bench = await makeBench(options.jobs)
  const leftOut: string[] = []
  const prepared = await prepareAll(bench, options.scenarios)
  const tally = new Tally((name) => prepared.find(({ scenario }) => scenario.name === name)?.scenario.side ?? '')
  const unsound = prepared.flatMap(({ scenario, findings }) =>
    findings.map(({ kind, detail }) => `${scenario.name}: ${kind}: ${detail}`),
  )
  if (unsound.length > 0) return { tally, leftOut, unsound, hunted: [] }
  const run = (form: Form, lanes: readonly Lane[]) =>
    execute(
      prepared.flatMap((one) => chosenTasks(one, form, options)),
      lanes,
      (result) => tally.add(result),
      { label: form.padEnd(8), stream },
    )
  const wants = (form: FormName) => options.forms.includes(form)
  for (const form of ['kill', 'recovery', 'errno'] as const) {
    if (!wants(form)) continue
    await run(form, bench.lanes)
  }
  for (const kind of ['ext4', 'xfs'] as const) {
    if (!wants('power') && !wants(kind)) continue
    const why = whyNoPowerCuts(kind, bench.options.folder)
    if (why !== undefined) leftOut.push(`power cuts on ${kind}: ${why}`)
    else await withDisks(bench, kind, (lanes) => run(kind, lanes))
  }
  const hunted = wants('mutants') ? await hunt(options, stream) : []
  return { tally, leftOut, unsound, hunted }
}

function chosenTasks(one: Prepared, form: Form, options: CrashOptions): Task[] {
  if (options.point === undefined) return tasksOf(one, form, options.quick ? quick : full, options.seed)
  const task = namedTask(one, form, options.point)
  if (!task) throw new UserError(`--point ${options.point} names no point of the form ${form}`, exit.usage)
  return [task]
}

function hunt({ mutant: only, jobs, seed }: CrashOptions, stream: ProgressStream | undefined): Promise<Hunted[]> {
  const chosen = mutants.filter(({ name }) => only === undefined || name === only)
  if (chosen.length === 0)
    throw new UserError(`there is no mutant "${only}"; there are: ${mutants.map(({ name }) => name).join(', ')}`, exit.usage)
  return huntAll(chosen, { jobs, density: full, seed }, stream)
}
