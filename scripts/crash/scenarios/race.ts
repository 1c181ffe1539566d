/** Two archives under one id at the same moment, as if nobody had kept the uploads of an id apart: one of them gets the name. */

import { mkdirSync } from 'node:fs'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { Receipt } from '@cis490/shared/receipt.ts'
import { Episodes } from '../../../packages/receiver/src/store/episodes.ts'
import { HashPool } from '../../../packages/receiver/src/store/hashing/hash-pool.ts'
import { Incoming } from '../../../packages/receiver/src/store/incoming.ts'
import { IndexLog } from '../../../packages/receiver/src/store/index-log.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { checkReceiver } from '../receiver/check.ts'
import { clientHost } from '../receiver/client.ts'
import { type Body, bodiesOf, bytesOf, commits, prepareBodies, prepareState, stateDir, withReceiver } from '../receiver/place.ts'
import type { Place, Scenario, Tell } from '../scenario.ts'

async function publish(place: Place, body: Body, layout: StoreLayout, index: IndexLog, tell: Tell): Promise<void> {
  const { id, sha256, commit, bytes } = body
  const receipt = Receipt.parse({ id, host: clientHost, sha256, bytes, commit, received_at: new Date().toISOString() })
  await using hashes = new HashPool(0, () => undefined)
  await using incoming = await Incoming.create(layout.incoming, hashes)
  await incoming.take(bytesOf(place, body.label))
  await incoming.finish(sha256)
  await incoming.sync(JSON.stringify(receipt))
  const key = { host: HostName.parse(clientHost), id: EpisodeId.parse(id) }
  if (!(await new Episodes(layout).publish(key, { archive: incoming.path, sidecar: incoming.sidecarPath }))) return
  await index.append(receipt)
  tell({ kind: 'answer', id, sha256, commit, status: 201, expected: 201, receipt_sha256: sha256 })
}

export const race: Scenario = {
  name: 'race',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(place, [
      { label: 'one', id: 'one', commit: commits[0] },
      { label: 'other-one', id: 'one', commit: commits[1] },
    ])
    await withReceiver(place, async () => undefined)
  },
  async work(place, tell, begin) {
    const layout = new StoreLayout(stateDir(place))
    mkdirSync(layout.incoming, { recursive: true })
    await using index = await IndexLog.open(layout.index)
    begin()
    await Promise.all(bodiesOf(place).map((body) => publish(place, body, layout, index, tell)))
  },
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) => checkReceiver(place, checked, {}),
}
