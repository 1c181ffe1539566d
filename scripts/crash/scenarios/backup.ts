/** A store is backed up and restored beside it: neither is ever half there, and the store itself does not change. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { backUp, endRestore, restore } from '../../../packages/receiver/src/store/backup/backup.ts'
import { fsck } from '../../../packages/receiver/src/store/fsck.ts'
import { IndexLog } from '../../../packages/receiver/src/store/index-log.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { recover } from '../../../packages/receiver/src/store/recover.ts'
import { bodiesOf, commits, prepareBodies, prepareState, sendBody, stateDir, withReceiver } from '../receiver/place.ts'
import type { Finding, Place, Scenario } from '../scenario.ts'

const options = { copy: true, verify: false, onBytes: () => undefined }

export const backup: Scenario = {
  name: 'backup',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(
      place,
      ['one', 'two', 'three'].map((label) => ({ label, id: label, commit: commits[0] })),
    )
    await withReceiver(place, async (client) => {
      for (const { label } of bodiesOf(place)) await sendBody(place, client, label, () => undefined, 201)
    })
  },
  async work(place, _tell, begin) {
    begin()
    await thereAndBack(place)
  },
  restart: thereAndBack,
  async check(place) {
    await thereAndBack(place)
    const found: Finding[] = []
    for (const root of [stateDir(place), join(place.disk, 'backup'), join(place.disk, 'restored')]) {
      const layout = new StoreLayout(root)
      const { findings, rows } = await fsck(layout, { verifyHashes: true })
      found.push(...findings.map(({ kind, at }): Finding => ({ kind: 'torn', detail: `fsck of ${root}: ${kind} ${at}` })))
      if (rows !== 3) found.push({ kind: 'lost', detail: `${root} has ${rows} rows` })
      if (readFileSync(layout.index, 'utf8') !== readFileSync(new StoreLayout(stateDir(place)).index, 'utf8'))
        found.push({ kind: 'torn', detail: `${root} has another index` })
    }
    return found
  },
}

async function thereAndBack(place: Place): Promise<void> {
  const dir = join(place.disk, 'backup')
  await backUp(new StoreLayout(stateDir(place)), dir, options)
  const layout = new StoreLayout(join(place.disk, 'restored'))
  await restore(layout, dir, options)
  await using index = await IndexLog.open(layout.index)
  await recover(layout, index)
  await endRestore(layout)
}
