/** Many uploads at once: their rows go into the index in groups. */
import { checkReceiver } from '../receiver/check.ts'
import type { Client } from '../receiver/client.ts'
import {
  type Body,
  bodiesOf,
  commits,
  type Expected,
  prepareBodies,
  prepareState,
  sendBody,
  withReceiver,
} from '../receiver/place.ts'
import type { Place, Scenario, Tell } from '../scenario.ts'

const labels = ['a', 'b', 'c', 'd', 'e', 'f']

function sendAll(place: Place, client: Client, tell: Tell, expected: Expected): Promise<unknown> {
  return Promise.all(bodiesOf(place).map(({ label }: Body) => sendBody(place, client, label, tell, expected)))
}

export const crowd: Scenario = {
  name: 'crowd',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(
      place,
      labels.map((label, k) => ({ label, id: label, commit: commits[k % 3] ?? '' })),
    )
    await withReceiver(place, async () => undefined)
  },
  work: (place, tell, begin) =>
    withReceiver(place, async (client) => {
      begin()
      await sendAll(place, client, tell, 201)
    }),
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) =>
    checkReceiver(place, checked, { again: async (...args) => void (await sendAll(...args, [200, 201])) }),
}
