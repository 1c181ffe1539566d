/** One upload into a store that has none yet: small enough to be read call by call. */
import { checkReceiver } from '../receiver/check.ts'
import { commits, prepareBodies, prepareState, sendBody, withReceiver } from '../receiver/place.ts'
import type { Scenario } from '../scenario.ts'

export const single: Scenario = {
  name: 'single',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(place, [{ label: 'one', id: 'one', commit: commits[0] }])
    await withReceiver(place, async () => undefined)
  },
  work: (place, tell, begin) =>
    withReceiver(place, async (client) => {
      begin()
      await sendBody(place, client, 'one', tell, 201)
    }),
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) =>
    checkReceiver(place, checked, {
      again: async (_, client, tell) => void (await sendBody(place, client, 'one', tell, [200, 201])),
    }),
}
