/** Which points a run tries: all of them, or a sample. */
import { endAt, endInRecovery, type Form, failAt, type PointResult, wreckAt } from './forms.ts'
import type { Lane } from './lab.ts'
import { type EndPoint, faultPoints, killPoints, parseEnd, parseFault, powerPoints, sample } from './points.ts'
import { type Finding, findingKinds, type Place, type Scenario } from './scenario.ts'
import type { Operation } from './shim.ts'

export interface Prepared {
  readonly scenario: Scenario
  readonly template: Place
  /** Without and with the opens that only read. */
  readonly operations: readonly Operation[]
  readonly withReads: readonly Operation[]
  /** Of a run without any fault. */
  readonly findings: readonly Finding[]
}

/** A unit that a lane takes: one point, or a first crash with all the second ones. */
export interface Task {
  /** How many points it is likely to be. */
  readonly points: number
  run(lane: Lane, report: (result: PointResult) => void): Promise<void>
}

export interface Density {
  /** Every how many-th point is tried. */
  readonly kill: number
  readonly power: number
  readonly errno: number
  /** How many first crashes, and every how many-th call of the recovery. */
  readonly wrecks: number
  readonly recovery: number
}

/** Power cuts: two calls of three, with and without the journal in turn. Errors: every call that changes something, once and from then on, with the four of them in turn; of opens to read two in four variants. */
export const full: Density = { kill: 1, power: 3, errno: 3, wrecks: 3, recovery: 4 }
export const quick: Density = { kill: 7, power: 11, errno: 23, wrecks: 3, recovery: 7 }

/** A run without any fault: it has to find nothing, and it tells which calls there are. */
export async function rehearse(lane: Lane, scenario: Scenario, template: Place): Promise<Prepared> {
  const place = lane.freshPlace(template)
  const { operations, ended } = await lane.record('work', scenario, place)
  if (ended.how !== 'done') throw new Error(`${scenario.name} does not work even without a fault: ${ended.how}: ${ended.message}`)
  const findings = await lane.check(scenario, place, { told: ended.told, finished: true })
  const { operations: withReads } = await lane.record('work', scenario, lane.freshPlace(template), true)
  return { scenario, template, operations, withReads, findings }
}

const single = (run: (lane: Lane) => Promise<PointResult>): Task => ({
  points: 1,
  run: async (lane, report) => report(await run(lane)),
})

export function tasksOf(one: Prepared, form: Form, density: Density, seed: number): Task[] {
  if (form === 'kill') return killTasks(one, density, seed)
  if (form === 'recovery') return recoveryTasks(one, density, seed)
  if (form === 'errno') return errnoTasks(one, density, seed)
  return powerTasks(one, density, seed)
}

function killTasks({ scenario, template, operations }: Prepared, density: Density, seed: number): Task[] {
  return endTasks(scenario, template, sample(killPoints(operations), density.kill, seed))
}

/** For lanes with a disk. */
function powerTasks({ scenario, template, operations }: Prepared, density: Density, seed: number): Task[] {
  return endTasks(scenario, template, sample(powerPoints(operations), density.power, seed))
}

function endTasks(scenario: Scenario, template: Place, points: readonly EndPoint[]): Task[] {
  return points.map((point) => single((lane) => endAt(lane, scenario, template, point)))
}

function errnoTasks({ scenario, template, withReads }: Prepared, density: Density, seed: number): Task[] {
  return sample(faultPoints(withReads), density.errno, seed).map((point) =>
    single((lane) => failAt(lane, scenario, template, point)),
  )
}

/** First crashes spread over the work, those that leave half a write among them. */
function recoveryTasks({ scenario, template, operations }: Prepared, density: Density, seed: number): Task[] {
  const candidates = killPoints(operations).filter(({ mode }) => mode !== 'before')
  const wrecks = Math.min(density.wrecks, candidates.length)
  return Array.from({ length: wrecks }, (_, k) => {
    const first = candidates[Math.floor(((k + 1) * candidates.length) / (wrecks + 1))] as EndPoint
    return {
      points: 30,
      run: (lane, report) =>
        crashRecovery(lane, scenario, template, first, (points) => sample(points, density.recovery, seed + k), report),
    }
  })
}

async function crashRecovery(
  lane: Lane,
  scenario: Scenario,
  template: Place,
  first: EndPoint,
  choose: (points: EndPoint[]) => EndPoint[],
  report: (result: PointResult) => void,
): Promise<void> {
  const wreck = await wreckAt(lane, scenario, template, first)
  if (!wreck) return
  const { operations } = await lane.record('restart', scenario, lane.freshPlace(wreck.place))
  for (const point of choose(killPoints(operations))) report(await endInRecovery(lane, scenario, wreck, point))
}

/** The one point that a report names. @returns undefined for a name that is none of this form */
export function namedTask({ scenario, template }: Prepared, form: string, name: string): Task | undefined {
  const [first = '', second] = name.split('/')
  const end = parseEnd(first)
  if (form === 'recovery') {
    const inner = second === undefined ? undefined : parseEnd(second)
    if (!end || !inner) return undefined
    return { points: 1, run: (lane, report) => crashRecovery(lane, scenario, template, end, () => [inner], report) }
  }
  if (form === 'errno') {
    const fault = parseFault(first)
    return fault && single((lane) => failAt(lane, scenario, template, fault))
  }
  return end && single((lane) => endAt(lane, scenario, template, end))
}

export function describeFinding(result: PointResult, finding: Finding): string {
  return `${finding.kind} (${findingKinds[finding.kind]}): ${finding.detail}\n    ${commandFor(result)}`
}

/** The command line that tries exactly this point again. */
export function commandFor({ scenario, form, point }: Pick<PointResult, 'scenario' | 'form' | 'point'>): string {
  return `npm run crash -- --scenario ${scenario} --form ${form} --point ${point}`
}
