/** The agent's half of a resumable upload: its sidecar remembers the upload and how far it is. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { shipPass } from '../../../packages/agent/src/commands/ship-pass.ts'
import { checkAgent, restartAgent } from '../agent/check.ts'
import { agentConfig, besideReceiver, paths, placeReceiver, prepareHost, withAgent } from '../agent/place.ts'
import { commits } from '../receiver/place.ts'
import type { Scenario } from '../scenario.ts'

export const resume: Scenario = {
  name: 'resume',
  side: 'agent',
  exclude: ['agent.lock'],
  prepare: (place) =>
    prepareHost(place, [
      { id: 'cut', fate: 'delivered', commit: commits[0], bytes: 400_000 },
      { id: 'other', fate: 'delivered', commit: commits[1] },
    ]),
  work: async (place, _, begin) => {
    placeReceiver(place)
    await besideReceiver(place, (url) =>
      withAgent(agentConfig(place, url), async (context, app, signal) => {
        await scan(context)
        const entry = await context.outbox.find(EpisodeId.parse('cut'))
        // After a cut an archive of any size is sent resumably.
        const last = { status: 0, code: 'connection-cut', at: '2026-01-01T00:00:00.000Z' }
        if (entry) await context.outbox.update({ ...entry, attempts: 1, last })
        // Its archive is the last copy: whatever goes too early is lost.
        rmSync(join(paths(place).episodes, 'other'), { recursive: true })
        begin()
        await shipPass(app.shipping, 'all', signal)
      }),
    )
  },
  restart: (place) => restartAgent(place),
  check: (place, checked) => checkAgent(place, checked),
}
