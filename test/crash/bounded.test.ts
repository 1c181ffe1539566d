/** A sample of `npm run crash`, the whole of which takes half an hour: a few points of every form. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Bench, makeBench, prepareAll, withDisks } from '../../scripts/crash/bench.ts'
import { execute } from '../../scripts/crash/execute.ts'
import type { Form, PointResult } from '../../scripts/crash/forms.ts'
import type { Lane } from '../../scripts/crash/lab.ts'
import { whyNoPowerCuts } from '../../scripts/crash/loop-disk.ts'
import { asExpected, huntAll } from '../../scripts/crash/mutants/hunt.ts'
import { mutants } from '../../scripts/crash/mutants.ts'
import { type Density, full, type Prepared, tasksOf } from '../../scripts/crash/plan.ts'

/** A minute on two processors that have nothing else to do. */
const density: Density = { kill: 21, power: 53, errno: 97, wrecks: 2, recovery: 17 }
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 })

let bench: Bench
let prepared: Prepared[]

beforeAll(async () => {
  bench = await makeBench(2)
  prepared = await prepareAll(bench, ['put', 'upload'])
})
afterAll(() => bench[Symbol.asyncDispose]())

async function tryAll(form: Form, lanes: readonly Lane[]): Promise<PointResult[]> {
  const results: PointResult[] = []
  const tasks = prepared.flatMap((one) => tasksOf(one, form, density, 5))
  await execute(tasks, lanes, (result) => results.push(result), { label: form })
  return results
}

const bad = (results: readonly PointResult[]) => results.filter(({ findings }) => findings.length > 0)

test('without any fault nothing is found', () => {
  expect(prepared.flatMap(({ findings }) => findings)).toEqual([])
})

test.each(['kill', 'recovery', 'errno'] as const)('%s: no promise is broken', async (form) => {
  const results = await tryAll(form, bench.lanes)
  expect(bad(results)).toEqual([])
  expect(results.filter(({ reached }) => reached).length).toBeGreaterThan(6)
})

describe.each(['ext4', 'xfs'] as const)('power cut on %s', (kind) => {
  test('no promise is broken', async (context) => {
    const why = whyNoPowerCuts(kind, bench.options.folder)
    if (why !== undefined) context.skip(`left out: ${why}`)
    const results = await withDisks(bench, kind, (lanes) => tryAll(kind, lanes))
    expect(bad(results)).toEqual([])
    expect(results.filter(({ reached }) => reached).length).toBeGreaterThan(5)
  })
})

test('the harness finds what it is there to find', async () => {
  const chosen = mutants.filter(({ name }) => ['no-sidecar', 'recovery-adds-no-row'].includes(name))
  const hunted = await huntAll(chosen, { jobs: 2, density: { ...full, kill: 3, errno: 3 }, seed: 0 })
  expect(hunted.filter((one) => !asExpected(one)).map(({ mutant }) => mutant.name)).toEqual([])
  expect(hunted).toHaveLength(2)
})
