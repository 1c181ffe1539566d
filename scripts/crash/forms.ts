/** One point of each form, from a fresh folder to what was found. */
import type { Lane } from './lab.ts'
import { type EndPoint, type FaultPoint, nameOfEnd, nameOfFault } from './points.ts'
import { type Checked, errnos, type Finding, type Place, type Scenario, type Told } from './scenario.ts'
import type { Ended } from './worker-process.ts'

export type Form = 'kill' | 'recovery' | 'ext4' | 'xfs' | 'errno'

export interface PointResult {
  readonly scenario: string
  readonly form: Form
  readonly point: string
  /** false: the work was over before it came to this call. */
  readonly reached: boolean
  readonly findings: readonly Finding[]
}

/** Kills, or cuts the power where the lane has a disk of its own. */
export async function endAt(lane: Lane, scenario: Scenario, template: Place, point: EndPoint): Promise<PointResult> {
  const place = lane.freshPlace(template)
  const ended = await lane.interrupt({ act: 'work', place }, scenario, point)
  lane.disk?.cycle()
  const findings = [...afterEnd(ended), ...(await lane.check(scenario, place, seen(ended)))]
  const form = lane.disk?.kind ?? 'kill'
  return { scenario: scenario.name, form, point: nameOfEnd(point), reached: ended.how === 'killed', findings }
}

/** A call that fails, or every call from there on: the program answers, or ends as a program ends. */
export async function failAt(lane: Lane, scenario: Scenario, template: Place, point: FaultPoint): Promise<PointResult> {
  const place = lane.freshPlace(template)
  const { errno, sticky, at } = point
  const ended = await lane.interrupt({ act: 'work', place }, scenario, {
    at,
    mode: 'error',
    errno: errnos[errno],
    sticky,
    reads: true,
  })
  const findings = [...afterFault(ended), ...(await lane.check(scenario, place, { ...seen(ended), fault: { errno, sticky } }))]
  return { scenario: scenario.name, form: 'errno', point: nameOfFault(point), reached: true, findings }
}

/** A crash, kept, and what the world was told before it. */
export interface Wreck {
  readonly name: string
  readonly place: Place
  readonly told: readonly Told[]
}

export async function wreckAt(lane: Lane, scenario: Scenario, template: Place, point: EndPoint): Promise<Wreck | undefined> {
  const place = lane.freshPlace(template)
  const ended = await lane.interrupt({ act: 'work', place }, scenario, point)
  if (ended.how !== 'killed') return undefined
  return { name: nameOfEnd(point), place: lane.keep(place, 'wreck'), told: ended.told }
}

/** The second crash, inside of the recovery from the first. */
export async function endInRecovery(lane: Lane, scenario: Scenario, wreck: Wreck, point: EndPoint): Promise<PointResult> {
  const place = lane.freshPlace(wreck.place)
  const ended = await lane.interrupt({ act: 'restart', place }, scenario, point)
  const findings = [...afterEnd(ended), ...(await lane.check(scenario, place, { told: wreck.told, finished: false }))]
  const name = `${wreck.name}/${nameOfEnd(point)}`
  return { scenario: scenario.name, form: 'recovery', point: name, reached: ended.how === 'killed', findings }
}

function seen({ told, how }: Ended): Checked {
  return { told, finished: how === 'done' }
}

/** The shim's own SIGKILL, or the end of the work before it came to the call. */
function afterEnd({ how, message }: Ended): Finding[] {
  return how === 'killed' || how === 'done' ? [] : [{ kind: 'stuck', detail: `the program: ${how}: ${message}` }]
}

/** An error that is told is a clean end; an exception nobody heard, or no end at all, is not. */
function afterFault({ how, message }: Ended): Finding[] {
  const fault = how === 'failed' && /^(Type|Range|Reference|Syntax)Error/.test(message)
  return how === 'done' || (how === 'failed' && !fault) ? [] : [{ kind: 'stuck', detail: `the program: ${how}: ${message}` }]
}
