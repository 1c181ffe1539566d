/** Step 8: the host examines itself and reports, which no gate may refuse. */
import { type Children, programs } from '../local-fleet/children.ts'
import { say } from './say.ts'
import type { Stage } from './stage.ts'

interface Examination {
  readonly outcome: string
  readonly results: readonly { readonly title: string; readonly outcome: string; readonly text: string }[]
}

export async function examine(stage: Stage, children: Children): Promise<void> {
  const { host } = stage
  const at = ['--config', host.config]
  // A fail or an unknown is a finding about this machine, not a fault of the demo.
  // The code that runs here has another history than the one that the demo made up.
  const about = ['doctor', '--json', '--skip', 'commit,tree', ...at]
  const doctor = await children.run(`doctor-${host.host}`, programs.agent, about, [0, 1, 3])
  const { outcome, results } = JSON.parse(doctor.stdout.join('\n')) as Examination
  await children.run(`report-${host.host}`, programs.agent, ['report', ...at], [0, 1, 3])
  say.step('Doctor', `examined ${host.host} and reported it to the receiver: ${results.length} checks, outcome ${outcome}`)
  const notable = results.filter((result) => result.outcome !== 'pass' && result.outcome !== 'skip')
  say.block(notable.map((result) => `${result.outcome}: ${result.title}: ${result.text}`))
}
