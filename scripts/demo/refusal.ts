/** Step 7: what a host with stale code sees. */
import { randomBytes } from 'node:crypto'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { ChildFailed, type Children, programs } from '../local-fleet/children.ts'
import { recordOne } from './record.ts'
import { say } from './say.ts'
import type { Stage } from './stage.ts'

interface Waiting {
  readonly entries: readonly { readonly id: string; readonly lane: string; readonly last?: { status: number; code: string } }[]
}

export async function refuseStale(stage: Stage, children: Children): Promise<void> {
  const { stale } = stage
  const commit = randomBytes(20).toString('hex')
  const id = await recordOne(children, stale, { seconds: 0.3, commit, dirty: false })
  const at = ['--config', stale.config]
  const ship = await children.run(`agent-${stale.host}`, programs.agent, ['ship', ...at], [1])
  const list = await children.run(`outbox-${stale.host}`, programs.agent, ['outbox', 'list', '--json', ...at], [0])
  const { entries } = JSON.parse(list.stdout.join('\n')) as Waiting
  const entry = entries.find((candidate) => candidate.id === id)
  if (entry?.lane !== 'gated' || entry.last?.code !== 'commit-not-in-window')
    throw new ChildFailed(ship, 'shipped with an unknown commit, and the gate did not refuse it')
  say.step('Stale host', `${stale.host} ships with commit ${commit.slice(0, 12)}, which is not in the window:`)
  say.block([
    `${entry.last.status} ${entry.last.code}: the episode is kept in its outbox, lane "${entry.lane}". The log says what to do:`,
  ])
  say.block(remediationIn(ship.stderr), 'yellow')
}

/** The lines between the log's JSON are what an operator pastes. */
function remediationIn(lines: readonly string[]): string[] {
  return lines.filter((line) => line !== '' && parseObject(line) === undefined)
}
