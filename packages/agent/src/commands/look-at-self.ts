/** The daemon looks at its outbox: for `systemctl status`, and for the watchdog. */
import { stat } from 'node:fs/promises'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { SelfLook } from '@cis490/shared/self-look.ts'
import { formatSize } from '@cis490/shared/size.ts'
import type { App } from '../app.ts'
import { listFolders } from '../episodes/scan.ts'
import { readLastBeat } from '../ship/heartbeat-file.ts'
import type { AgentContext } from './context.ts'

/** @throws the system's error for an outbox that is gone or cannot be read: that is not well */
export async function lookAtSelf({ outbox, config }: AgentContext, { shipping }: App): Promise<SelfLook> {
  await stat(config.paths.outbox)
  const entries = await outbox.entries()
  const of = (lane: string) => entries.filter((entry) => entry.lane === lane).length
  const bytes = formatSize(entries.reduce((sum, entry) => sum + entry.bytes, 0))
  const recordings = await listFolders(config.paths.episodes).then(
    ({ ids }) => `${ids.length} recordings`,
    // Shipping goes on, and a restart would not change it.
    (error: unknown) => `cannot read the recordings (${messageOf(error)})`,
  )
  const waiting = `outbox: ${of('ready')} ready, ${of('gated')} gated, ${of('quarantine')} quarantined, ${bytes}`
  const receiver = `receiver: ${readLastBeat(config.paths.state)?.outcome ?? 'not asked yet'}`
  return { well: true, status: `${shipping.client().host}: ${recordings}; ${waiting}; ${receiver}` }
}
