/** Reports of a host: each newer one replaces the one before, an older one changes nothing, and a receiver that stops takes its journal of them away. */
import { hostHealthPath } from '@cis490/shared/protocol.ts'
import { checkReceiver } from '../receiver/check.ts'
import { type Client, clientHost } from '../receiver/client.ts'
import { prepareBodies, prepareState, withReceiver } from '../receiver/place.ts'
import type { Checked, Finding, Place, Scenario, Tell } from '../scenario.ts'

async function report(client: Client, sequence: number, tell: Tell, expected: number | number[]): Promise<void> {
  const text = JSON.stringify({ host: clientHost, report_epoch: 'e', sequence, padding: 'x'.repeat(500) })
  const answer = await client.ask({ method: 'PUT', path: hostHealthPath(clientHost), body: Buffer.from(text) })
  tell({ kind: 'answer', id: `report ${sequence}`, status: answer.status, expected, code: answer.body['code'] })
  if (answer.status === 204) tell({ kind: 'reported', sequence })
}

/** @param told what was acknowledged: the highest of it is there, or a higher one */
async function look(client: Client, _state: string, { told }: Checked): Promise<Finding[]> {
  const highest = Math.max(0, ...told.filter(({ kind }) => kind === 'reported').map(({ sequence }) => Number(sequence)))
  const answer = await client.ask({ method: 'GET', path: hostHealthPath(clientHost) })
  if (answer.status === 404 && highest === 0) return []
  const { sequence, padding } = answer.body
  if (answer.status !== 200 || typeof padding !== 'string' || padding.length !== 500)
    return [
      {
        kind: answer.status === 404 ? 'lost' : 'torn',
        detail: `the report: ${answer.status} ${JSON.stringify(answer.body).slice(0, 80)}`,
      },
    ]
  return Number(sequence) >= highest ? [] : [{ kind: 'lost', detail: `report ${highest} was acknowledged, ${sequence} is there` }]
}

export const reportScenario: Scenario = {
  name: 'report',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place: Place) {
    await prepareState(place)
    await prepareBodies(place, [])
    await withReceiver(place, async () => undefined)
  },
  async work(place, tell, begin) {
    await withReceiver(place, async (client) => {
      begin()
      for (const sequence of [1, 2, 3]) await report(client, sequence, tell, 204)
      // Ignored, unless what came before it was refused for a fault.
      await report(client, 2, tell, [200, 204])
      await report(client, 4, tell, 204)
    })
    await withReceiver(place, (client) => report(client, 5, tell, 204))
  },
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) => checkReceiver(place, checked, { look, again: (_, client, tell) => report(client, 9, tell, 204) }),
}
