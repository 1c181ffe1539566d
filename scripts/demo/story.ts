/** The whole product in one sitting, in order. */

import type { IndexRow } from '@cis490/shared/receipt.ts'
import { formatSize } from '@cis490/shared/size.ts'
import { ChildFailed, type Children, programs } from '../local-fleet/children.ts'
import { deliverOne } from './delivery.ts'
import { examine } from './doctor.ts'
import { followIndex, readIndex } from './index-rows.ts'
import type { DemoOptions } from './options.ts'
import { recordOn } from './record.ts'
import { refuseStale } from './refusal.ts'
import { say } from './say.ts'
import { type Stage, setStage } from './stage.ts'

/** @throws ChildFailed when a step does not do what it should */
export async function tellStory(dir: string, children: Children, options: DemoOptions, stop: AbortSignal): Promise<void> {
  say.title(`cis490: a receiver, a lab host and a stale host on this machine, in ${dir}`)
  const stage = await setStage(dir, children)
  const index = readIndex(stage.receiver.state)
  await index.next()
  await deliverOne(stage, children, index, options.seconds)
  await refuseStale(stage, children)
  await examine(stage, children)
  showAround(stage, !options.once)
  if (options.once) return

  const { host, history } = stage
  const agent = children.start(`agent-${host.host}`, programs.agent, ['run', '--config', host.config])
  const recorder = recordOn(children, host, { seconds: options.seconds, commit: history.head, dirty: history.dirty })
  say.line(`Recording and shipping an episode every ${options.seconds} s until Ctrl-C:`)
  const died = [agent, recorder, stage.receiver.child].map(async (child) => {
    throw new ChildFailed(child, `ended by itself: ${await child.ended}`)
  })
  await Promise.race([followIndex(index, tellRow, stop), ...died])
}

function tellRow(row: IndexRow): void {
  const time = row.received_at?.slice(11, 19) ?? ''
  say.event(`${time}  ${row.id}  ${formatSize(row.bytes ?? 0)}  row ${row.seq ?? '?'}`)
}

/** @param alive whether the receiver goes on answering */
function showAround({ receiver, host, stale }: Stage, alive: boolean): void {
  say.line()
  say.line('Look around:')
  say.fields({
    store: `${receiver.state}/episodes`,
    index: `${receiver.state}/index.jsonl`,
    refused: `${receiver.state}/rejects.jsonl`,
    'what waits': `npx cis490-agent outbox list --config ${stale.config}`,
    recordings: host.episodes,
    ...(alive && {
      gate: `${receiver.opsUrl}/v1/gate`,
      metrics: `${receiver.opsUrl}/metrics`,
      'host health': `${receiver.opsUrl}/v1/host-health`,
    }),
  })
  say.line()
}
