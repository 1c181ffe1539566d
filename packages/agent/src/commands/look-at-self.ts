/** The daemon looks at its outbox: for `systemctl status`, and for the watchdog. */
import { stat } from 'node:fs/promises'
import { counted } from '@cis490/shared/counted.ts'
import type { SelfLook } from '@cis490/shared/self-look.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { App } from '../app.ts'
import { readLastBeat } from '../ship/heartbeat-file.ts'
import type { AgentContext } from './context.ts'

/**
 * The recordings are left alone: they may lie on a server that does not answer, and what waits in the outbox is shipped all the same.
 * @throws the system's error for an outbox that is gone or cannot be read: that is not well
 */
export async function lookAtSelf({ outbox, config }: AgentContext, { shipping, activity }: App): Promise<SelfLook> {
  await stat(config.paths.outbox)
  const entries = await outbox.entries()
  const of = (lane: string) => entries.filter((entry) => entry.lane === lane).length
  const bytes = formatSize(entries.reduce((sum, entry) => sum + entry.bytes, 0))
  const said = [
    `outbox: ${of('ready')} ready, ${of('gated')} gated, ${of('quarantine')} quarantined, ${bytes}`,
    ...(activity.recording ? ['a recording runs'] : []),
    ...(activity.stuck > 0 ? [`${counted(activity.stuck, 'folder')} cannot be packed`] : []),
    `receiver: ${readLastBeat(config.paths.state)?.outcome ?? 'not asked yet'}`,
  ]
  return { well: true, status: `${shipping.client().host}: ${said.join('; ')}` }
}
