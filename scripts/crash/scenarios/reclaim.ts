/** What crashes and people left in an outbox is mended by one scan: parts, sidecars alone, archives alone, last copies. */
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId } from '@cis490/shared/ids.ts'
import { gateAsker } from '../../../packages/agent/src/commands/ask-gate.ts'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { shipPass } from '../../../packages/agent/src/commands/ship-pass.ts'
import { checkAgent, restartAgent } from '../agent/check.ts'
import { agentConfig, besideReceiver, paths, placeReceiver, prepareHost, settle, withAgent } from '../agent/place.ts'
import { commits } from '../receiver/place.ts'
import type { Place, Scenario } from '../scenario.ts'

/** Packs all, delivers one, and then breaks things. */
async function makeMess(place: Place, url: string): Promise<void> {
  const { episodes, outbox } = paths(place)
  const file = (name: string) => join(outbox, name)
  await withAgent(agentConfig(place, url), async (context, app, signal) => {
    await scan(context, { gateAllows: gateAsker(app.shipping, signal) })
    cpSync(file('done.tar.zst'), join(place.disk, 'kept'))
    for (const id of ['packed', 'last-copy', 'bare'])
      await context.outbox.update({ ...(await entryOf(context.outbox, id)), lane: 'quarantine' })
    await shipPass(app.shipping, 'all', signal)
  })
  // Delivered, and its archive is there again.
  cpSync(join(place.disk, 'kept'), file('done.tar.zst'))
  rmSync(join(place.disk, 'kept'))
  rmSync(join(episodes, 'last-copy'), { recursive: true })
  rmSync(file('last-copy.json'))
  rmSync(file('bare.json'))
  rmSync(file('packed.tar.zst'))
  writeFileSync(file('half.tar.zst.part'), 'half')
  writeFileSync(file('half.json.tmp'), '{')
}

async function entryOf(outbox: Parameters<Parameters<typeof withAgent>[1]>[0]['outbox'], id: string) {
  const entry = await outbox.find(EpisodeId.parse(id))
  if (!entry) throw new Error(`${id} was not packed`)
  return entry
}

export const reclaimScenario: Scenario = {
  name: 'reclaim',
  side: 'agent',
  exclude: ['agent.lock'],
  prepare: (place) =>
    prepareHost(
      place,
      ['done', 'packed', 'last-copy', 'bare'].map((id) => ({ id, fate: 'delivered' as const, commit: commits[0] })),
    ),
  work: async (place, _, begin) => {
    placeReceiver(place)
    await besideReceiver(place, async (url) => {
      await makeMess(place, url)
      settle(place)
      begin()
      await restartAgent(place)
    })
  },
  restart: (place) => restartAgent(place),
  check: (place, checked) => checkAgent(place, checked),
}
