/** Two of three stored episodes are taken out on purpose: first the word, then the deed, never one without the other. */
import { timestamp } from '@cis490/shared/ids.ts'
import { PruneRow } from '../../../packages/receiver/src/core/prune.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { pruneEpisodes } from '../../../packages/receiver/src/store/prune-episodes.ts'
import { checkReceiver } from '../receiver/check.ts'
import { clientHost } from '../receiver/client.ts'
import { bodiesOf, commits, prepareBodies, prepareState, sendBody, stateDir, withReceiver } from '../receiver/place.ts'
import type { Scenario } from '../scenario.ts'

export const prune: Scenario = {
  name: 'prune',
  side: 'receiver',
  exclude: ['receiver.lock', 'prunes.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(
      place,
      ['kept', 'gone', 'gone-too'].map((label) => ({ label, id: label, commit: commits[0] })),
    )
    await withReceiver(place, async (client) => {
      for (const { label } of bodiesOf(place)) await sendBody(place, client, label, () => undefined, 201)
    })
  },
  async work(place, _tell, begin) {
    begin()
    const rows = bodiesOf(place)
      .filter(({ label }) => label !== 'kept')
      .map(({ label: _, ...body }) =>
        PruneRow.parse({ ...body, host: clientHost, at: timestamp(Date.now()), reason: 'old', by: 'me' }),
      )
    await pruneEpisodes(new StoreLayout(stateDir(place)), rows)
  },
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) => checkReceiver(place, checked, { again: async () => undefined }),
}
