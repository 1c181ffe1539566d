/** A store with five damages is mended: what can be mended is, what is lost is written down once, what is well stays. */
import { existsSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { repairStore } from '../../../packages/receiver/src/commands/repair-store.ts'
import { Picture } from '../../../packages/receiver/src/store/fsck/look.ts'
import { fsck } from '../../../packages/receiver/src/store/fsck.ts'
import { StoreLayout } from '../../../packages/receiver/src/store/layout.ts'
import { readLosses } from '../../../packages/receiver/src/store/losses.ts'
import { clientHost } from '../receiver/client.ts'
import { bodiesOf, commits, prepareBodies, prepareState, sendBody, stateDir, withReceiver } from '../receiver/place.ts'
import type { Finding, Place, Scenario } from '../scenario.ts'

const ids = ['well', 'flipped', 'gone', 'no-receipt', 'no-row', 'last']
const lost = ['flipped', 'gone']

export const repair: Scenario = {
  name: 'repair',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(
      place,
      ids.map((label) => ({ label, id: label, commit: commits[0] })),
    )
    await withReceiver(place, async (client) => {
      for (const { label } of bodiesOf(place)) await sendBody(place, client, label, () => undefined, 201)
    })
    damage(new StoreLayout(stateDir(place)))
  },
  async work(place, _tell, begin) {
    begin()
    await mend(place)
  },
  restart: mend,
  async check(place) {
    await mend(place)
    const layout = new StoreLayout(stateDir(place))
    const { findings } = await fsck(layout, { verifyHashes: true })
    return [
      ...findings.map(({ kind, at }): Finding => ({ kind: 'torn', detail: `fsck: ${kind} ${at}` })),
      ...(await missing(layout)),
    ]
  },
}

function damage(layout: StoreLayout): void {
  const key = (id: string) => ({ host: HostName.parse(clientHost), id: EpisodeId.parse(id) })
  const bytes = readFileSync(layout.archive(key('flipped')))
  bytes[40] = (bytes[40] as number) ^ 1
  writeFileSync(layout.archive(key('flipped')), bytes)
  unlinkSync(layout.archive(key('gone')))
  unlinkSync(layout.sidecar(key('no-receipt')))
  const lines = readFileSync(layout.index, 'utf8').trimEnd().split('\n')
  writeFileSync(layout.index, `${lines.filter((line) => !line.includes('"no-row"')).join('\n')}\n{"half`)
  writeFileSync(join(layout.shelf(key('well')), 'core'), 'core')
}

async function mend(place: Place): Promise<void> {
  const layout = new StoreLayout(stateDir(place))
  await repairStore(layout, await Picture.take(layout, { hashes: 'always', running: () => false }))
}

async function missing(layout: StoreLayout): Promise<Finding[]> {
  const rows = readFileSync(layout.index, 'utf8').trimEnd().split('\n')
  const losses = (await readLosses(layout)).map(({ id }) => id)
  const named = rows.map((line) => (JSON.parse(line) as { id: string }).id)
  const wrong: Finding[] = []
  for (const id of ids) {
    const [inRows, inLosses] = [named, losses].map((all) => all.filter((one) => one === id).length)
    const expected = lost.includes(id) ? [0, 1] : [1, 0]
    if (inRows !== expected[0] || inLosses !== expected[1])
      wrong.push({ kind: 'lost', detail: `${id}: ${inRows} rows, ${inLosses} losses` })
  }
  for (const [what, where] of [
    ['flipped', join(layout.quarantine, clientHost)],
    ['core', join(layout.quarantine, 'strangers')],
  ] as const)
    if (!existsSync(where) || !readdirSync(where).some((name) => name.startsWith(what)))
      wrong.push({ kind: 'lost', detail: `${what} is not in quarantine` })
  return wrong
}
