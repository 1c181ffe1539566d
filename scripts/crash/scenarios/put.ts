/** Plain uploads: new ones, one twice, one with other bytes, one that the gate refuses, one damaged on its way, two at once. */
import { checkReceiver } from '../receiver/check.ts'
import type { Client } from '../receiver/client.ts'
import {
  bodiesOf,
  bytesOf,
  commits,
  prepareBodies,
  prepareState,
  sendBody,
  sendBytes,
  tooOld,
  withReceiver,
} from '../receiver/place.ts'
import type { Place, Scenario, Tell } from '../scenario.ts'

async function sendAll(place: Place, client: Client, tell: Tell): Promise<void> {
  const send = (label: string, expected: number | number[]) => sendBody(place, client, label, tell, expected)
  await send('one', 201)
  await send('big', 201)
  // Where the first was refused for a fault, this one is the first.
  await send('one', [200, 201])
  await send('other-one', 409)
  await send('old', 412)
  const damaged = bodiesOf(place).find(({ label }) => label === 'damaged')
  if (damaged) await sendBytes(client, damaged, bytesOf(place, 'damaged').fill(0, 40, 60), tell, 400)
  await Promise.all([send('left', 201), send('right', 201)])
  await send('last', 201)
}

/** Whoever does not know sends again; 200 and 201 are both good news then. */
async function sendAgain(place: Place, client: Client, tell: Tell): Promise<void> {
  for (const label of ['one', 'big', 'left', 'right', 'last', 'damaged']) await sendBody(place, client, label, tell, [200, 201])
  await sendBody(place, client, 'other-one', tell, 409)
  await sendBody(place, client, 'old', tell, 412)
}

export const put: Scenario = {
  name: 'put',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(place, [
      { label: 'one', id: 'one', commit: commits[0] },
      { label: 'other-one', id: 'one', commit: commits[0] },
      { label: 'big', id: 'big', commit: commits[1], bytes: 2_600_000 },
      { label: 'old', id: 'old', commit: tooOld },
      { label: 'damaged', id: 'damaged', commit: commits[0] },
      { label: 'left', id: 'left', commit: commits[2] },
      { label: 'right', id: 'right', commit: commits[0] },
      { label: 'last', id: 'last', commit: commits[1] },
    ])
  },
  work: (place, tell, begin) => {
    begin()
    return withReceiver(place, (client) => sendAll(place, client, tell))
  },
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) => checkReceiver(place, checked, { again: sendAgain }),
}
