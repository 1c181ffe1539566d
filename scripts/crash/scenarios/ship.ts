/** Pack and ship: accepted episodes, one that the gate refuses, one without a stamp, one whose id is taken, one that cannot be packed. */
import { createHash } from 'node:crypto'
import { episode } from '../../../test/support/archives.ts'
import { checkAgent, restartAgent, shipOnce } from '../agent/check.ts'
import { besideReceiver, placeReceiver, prepareHost } from '../agent/place.ts'
import { Client } from '../receiver/client.ts'
import { commits, sendBytes, tooOld } from '../receiver/place.ts'
import type { Scenario } from '../scenario.ts'

export const ship: Scenario = {
  name: 'ship',
  side: 'agent',
  exclude: ['agent.lock'],
  prepare: (place) =>
    prepareHost(
      place,
      [
        { id: 'small', fate: 'delivered', commit: commits[0] },
        { id: 'large', fate: 'delivered', commit: commits[1], bytes: 2_500_000 },
        { id: 'old', fate: 'gated', commit: tooOld },
        { id: 'unstamped', fate: 'gated' },
        { id: 'taken', fate: 'quarantine', commit: commits[0] },
        { id: 'strange', fate: 'refused', commit: commits[0], strange: true },
      ],
      async (url) => {
        using client = new Client(url)
        const bytes = episode('taken', commits[0], 'of somebody else')
        const sha256 = createHash('sha256').update(bytes).digest('hex')
        const body = { label: 'taken', id: 'taken', commit: commits[0], sha256, bytes: bytes.length }
        await sendBytes(client, body, bytes, () => undefined, 201)
      },
    ),
  work: async (place, _, begin) => {
    placeReceiver(place)
    await besideReceiver(place, async (url) => {
      begin()
      await shipOnce(place, url)
    })
  },
  restart: (place) => restartAgent(place),
  check: (place, checked) => checkAgent(place, checked),
}
