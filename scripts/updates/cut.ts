/** One cut, and what has to be true behind it. */
import { receiverFaults } from './beside.ts'
import type { Point } from './points.ts'
import type { Trial } from './trial.ts'

/** `killed`: the updater alone, and its unit cleans up. `power`: everything, and the machine boots. */
export type Form = 'killed' | 'power'

export interface CutResult {
  readonly point: Point
  readonly form: Form
  /** false: the update has no such point. */
  readonly hit: boolean
  readonly findings: readonly string[]
}

const units = ['cis490-receiver', 'cis490-orchestrator']

/** The doctor's part is tried with the real tree. */
const brief = { CIS490_TRIAL_BRIEF: 'yes' }

/** @param trial its daemon and a receiver beside it run, and its checkout is at the head of its forge */
export async function tryCut(trial: Trial, point: Point, form: Form): Promise<CutResult> {
  const from = trial.head()
  const to = trial.publish(point.broken ? { broken: ['run'] } : {})
  const { code } = await trial.update({ cut: point.cut, env: brief })
  const findings: string[] = []
  if (code === null) {
    if (form === 'power') trial.killDaemons()
    await trial.repair()
    if (form === 'power') for (const unit of units) trial.systemctl('start', unit)
  }
  findings.push(...trial.faults(point.broken ? [from] : [from, to]))
  if (!trial.systemctl('is-active') && !(code !== null && trial.systemctl('start'))) findings.push('the daemon does not run')
  findings.push(...(await receiverFaults(trial, code === null)))
  await trial.deliver().catch((error: Error) => findings.push(error.message))
  // The next hour.
  if (point.broken) trial.publish()
  const again = await trial.update({ env: brief })
  findings.push(...trial.faults([trial.head(trial.forge)]))
  if (again.code !== 0) findings.push(`the next run ends with ${again.code}: ${again.text}`)
  if (!trial.systemctl('is-active')) findings.push('the daemon does not run after the next run')
  findings.push(...(await receiverFaults(trial, false)).map((fault) => `after the next run ${fault}`))
  return { point, form, hit: code === null, findings }
}
