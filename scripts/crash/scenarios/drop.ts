/** A person releases one entry and gives up another: the tombstone is there before the archive goes. */

import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import type { AgentContext } from '../../../packages/agent/src/commands/context.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { checkAgent, restartAgent } from '../agent/check.ts'
import { agentConfig, paths, placeReceiver, prepareHost, withAgent } from '../agent/place.ts'
import { commits } from '../receiver/place.ts'
import type { Checked, Finding, Place, Scenario } from '../scenario.ts'

/** What a person was told is given up does not come back. */
function look(place: Place, { told }: Checked): Finding[] {
  return told
    .filter(({ kind, id }) => kind === 'dropped' && existsSync(join(paths(place).outbox, `${id}.tar.zst`)))
    .map(({ id }) => ({ kind: 'orphan', detail: `${id} was dropped and is in the outbox again` }))
}

async function release({ outbox }: AgentContext): Promise<void> {
  const entry = await outbox.find(EpisodeId.parse('released'))
  if (entry) await outbox.update({ ...entry, lane: 'ready' })
}

export const drop: Scenario = {
  name: 'drop',
  side: 'agent',
  exclude: ['agent.lock'],
  prepare: (place) =>
    prepareHost(place, [
      { id: 'given-up', fate: 'dropped', commit: commits[0] },
      { id: 'buried', fate: 'dropped', commit: commits[0] },
      { id: 'released', fate: 'delivered', commit: commits[0] },
    ]),
  work: async (place, tell, begin) => {
    placeReceiver(place)
    await withAgent(agentConfig(place, 'http://127.0.0.1:9'), async (context) => {
      const { outbox } = context
      await scan(context)
      const released = await outbox.find(EpisodeId.parse('released'))
      if (released) await outbox.update({ ...released, lane: 'quarantine' })
      // Its archive is the last copy.
      rmSync(join(paths(place).episodes, 'buried'), { recursive: true })
      begin()
      await release(context)
      for (const id of ['given-up', 'buried']) {
        await outbox.drop(EpisodeId.parse(id), 'recorded by mistake', 'somebody')
        tell({ kind: 'dropped', id })
      }
    })
  },
  restart: (place) => restartAgent(place),
  check: (place, checked) => checkAgent(place, checked, { look, again: release }),
}
