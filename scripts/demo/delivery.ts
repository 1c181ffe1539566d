/** Steps 4 to 6: record this machine, ship the episode, show its row in the index. */
import { formatSize } from '@cis490/shared/size.ts'
import { ChildFailed, type Children, programs } from '../local-fleet/children.ts'
import type { IndexReader } from './index-rows.ts'
import { recordWithBar } from './record.ts'
import { say } from './say.ts'
import type { Stage } from './stage.ts'

export async function deliverOne(stage: Stage, children: Children, index: IndexReader, seconds: number): Promise<void> {
  const { host, history } = stage
  const id = await recordWithBar(children, host, { seconds, commit: history.head, dirty: history.dirty })
  say.step('Recorder', `${seconds} s of this machine's own telemetry: episode ${id}`)

  const begun = performance.now()
  // On a terminal the agent draws its own progress bar.
  const stderr = process.stderr.isTTY ? 'inherit' : 'pipe'
  const ship = await children.run(`agent-${host.host}`, programs.agent, ['ship', '--config', host.config], [0], { stderr })
  const row = (await index.next()).find((candidate) => candidate.id === id)
  if (!row) throw new ChildFailed(ship, `ended well, but the receiver's index has no row for ${id}`)
  const took = `${((performance.now() - begun) / 1000).toFixed(1)} s`
  say.step('Agent', `packed and shipped ${formatSize(row.bytes ?? 0)} in ${took}, and has the receiver's receipt`)
  say.step('Index', 'the episode is stored, checked and has its row:')
  say.fields(row)
}
