/** Runs each mutant until something is found, or until there is nothing left to try. */
import type { ProgressStream } from '@cis490/shared/node/progress.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import { type Bench, makeBench, prepareAll, withDisks } from '../bench.ts'
import { execute } from '../execute.ts'
import type { Form, PointResult } from '../forms.ts'
import { type Lane, repository } from '../lab.ts'
import { whyNoPowerCuts } from '../loop-disk.ts'
import { type Density, tasksOf } from '../plan.ts'
import type { Mutant } from './mutant.ts'
import { mutantTree } from './tree.ts'

export interface Hunted {
  readonly mutant: Mutant
  /** Set where it was caught. */
  readonly by?: {
    readonly form: Form | 'without a fault'
    readonly point: string
    readonly kind: string
    readonly detail: string
  }
  /** Points that were tried. */
  readonly points: number
  /** Forms that could not be tried here. */
  readonly leftOut: readonly string[]
}

/** Caught, or equivalent and not caught. */
export function asExpected({ mutant, by, leftOut }: Hunted): boolean {
  return (by === undefined) === (mutant.equivalent !== undefined) || leftOut.length > 0
}

export async function huntAll(
  mutants: readonly Mutant[],
  { jobs, density, seed }: { jobs: number; density: Density; seed: number },
  stream?: ProgressStream,
): Promise<Hunted[]> {
  const progress = stream && makeProgress({ label: 'mutants ', total: mutants.length, stream, unit: 'count' })
  const hunted: Hunted[] = []
  for (const mutant of mutants) {
    hunted.push(await hunt(mutant, jobs, density, seed))
    progress?.update(hunted.length)
  }
  progress?.done()
  return hunted
}

async function hunt(mutant: Mutant, jobs: number, density: Density, seed: number): Promise<Hunted> {
  await using bench = await makeBench(jobs, (folder) => mutantTree(repository, folder, mutant))
  const leftOut: string[] = []
  let points = 0
  const scenarios = [...new Set(mutant.tries.map(({ scenario }) => scenario))]
  const rehearsed = await prepareAll(bench, scenarios)
  for (const { scenario, form } of mutant.tries) {
    const prepared = rehearsed.find((one) => one.scenario.name === scenario)
    if (!prepared) continue
    const found = prepared.findings[0]
    if (found) return { mutant, by: { form: 'without a fault', point: '', ...found }, points, leftOut }
    const tasks = shuffled(tasksOf(prepared, form, density, seed), seed)
    const caught = await onLanes(bench, form, leftOut, async (lanes) => {
      let first: PointResult | undefined
      const enough = (result: PointResult) => result.findings.length > 0
      const report = (result: PointResult) => {
        points += 1
        if (result.findings.length > 0) first ??= result
      }
      await execute(tasks, lanes, report, { label: mutant.name, enough })
      return first
    })
    const [finding] = caught?.findings ?? []
    if (caught && finding) return { mutant, by: { form, point: caught.point, ...finding }, points, leftOut }
  }
  return { mutant, points, leftOut }
}

async function onLanes(
  bench: Bench,
  form: Form,
  leftOut: string[],
  use: (lanes: readonly Lane[]) => Promise<PointResult | undefined>,
): Promise<PointResult | undefined> {
  if (form !== 'ext4' && form !== 'xfs') return await use(bench.lanes)
  const why = whyNoPowerCuts(form, bench.options.folder)
  if (why === undefined) return await withDisks(bench, form, use)
  leftOut.push(`power cuts on ${form}: ${why}`)
  return undefined
}

/** What one point finds its neighbours find too: far apart, the first is met sooner. The same order for the same seed. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  const weight = (k: number) => Math.imul(k + 1, 2654435761 + 2 * seed) >>> 0
  return list
    .map((one, k) => ({ one, at: weight(k) }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
