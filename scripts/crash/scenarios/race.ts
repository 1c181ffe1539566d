/**
 * Two archives under one id that are both ready before either has its name, as if nobody had kept the uploads of an id apart: the first one
 * gets it. Their names are given one after the other: a sidecar without an archive is taken for what a crash left, which only the lock makes true.
 */
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

/** @returns what gives the episode its name */
async function makeReady(
  place: Place,
  body: Body,
  layout: StoreLayout,
  index: IndexLog,
  tell: Tell,
): Promise<AsyncDisposable & { publish(): Promise<void> }> {
  const { id, sha256, commit, bytes } = body
  const receipt = Receipt.parse({ id, host: clientHost, sha256, bytes, commit, received_at: new Date().toISOString() })
  const hashes = new HashPool(0, () => undefined)
  const incoming = Incoming.create(layout.incoming, hashes)
  await incoming.take(bytesOf(place, body.label))
  await incoming.finish(sha256)
  await incoming.sync(JSON.stringify(receipt))
  const key = { host: HostName.parse(clientHost), id: EpisodeId.parse(id) }
  return {
    async publish() {
      if (!(await new Episodes(layout).publish(key, { archive: incoming.path, sidecar: incoming.sidecarPath }))) return
      await index.append(receipt)
      tell({ kind: 'answer', id, sha256, commit, status: 201, expected: 201, receipt_sha256: sha256 })
    },
    [Symbol.asyncDispose]: () => incoming[Symbol.asyncDispose](),
  }
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
    const [one, other] = bodiesOf(place) as [Body, Body]
    await using first = await makeReady(place, one, layout, index, tell)
    await using second = await makeReady(place, other, layout, index, tell)
    await first.publish()
    await second.publish()
  },
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) => checkReceiver(place, checked, {}),
}
