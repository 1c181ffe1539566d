/** Resumable uploads: one in three parts with a wrong offset between, one cancelled, one left in the middle, one that a plain PUT overtakes. */
import { checkReceiver } from '../receiver/check.ts'
import type { Client } from '../receiver/client.ts'
import { bytesOf, commits, prepareBodies, prepareState, sendBody, withReceiver } from '../receiver/place.ts'
import { UploadClient } from '../receiver/upload-client.ts'
import { lookAtUploads } from '../receiver/uploads-kept.ts'
import type { Place, Scenario, Tell } from '../scenario.ts'

async function upload(place: Place, client: Client, tell: Tell): Promise<void> {
  const uploads = new UploadClient(place, client, tell)
  const size = (label: string) => bytesOf(place, label).length
  const parts = await uploads.create('parts', 201)
  if (parts !== undefined) {
    const third = Math.floor(size('parts') / 3)
    await uploads.append('parts', parts, 0, third, 204)
    // Where the part before was refused for a fault, the offset is another one.
    await uploads.append('parts', parts, third + 7, 2 * third, 409)
    const offset = (await uploads.look('parts', parts, 204)) ?? 0
    await uploads.append('parts', parts, offset, 2 * third, [204, 409])
    const last = (await uploads.look('parts', parts, 204)) ?? 0
    await uploads.append('parts', parts, last, size('parts'), 201)
    // The answer was lost on its way.
    await uploads.append('parts', parts, last, size('parts'), [201, 409])
  }
  const cancelled = await uploads.create('cancelled', 201)
  if (cancelled !== undefined) {
    await uploads.append('cancelled', cancelled, 0, 100, 204)
    await uploads.cancel('cancelled', cancelled, [204, 404, 410])
  }
  const left = await uploads.create('left', 201)
  if (left !== undefined) await uploads.append('left', left, 0, 100, 204)
  const overtaken = await uploads.create('overtaken', 201)
  if (overtaken !== undefined) await uploads.append('overtaken', overtaken, 0, 100, 204)
  await sendBody(place, client, 'overtaken', tell, 201)
}

async function again(place: Place, client: Client, tell: Tell): Promise<void> {
  const uploads = new UploadClient(place, client, tell)
  for (const label of ['parts', 'cancelled', 'left', 'overtaken']) await uploads.sendWhole(label)
}

const running = { also: [/^uploads\/[0-9a-f]{32}\.(json|part)$/] }

export const uploadScenario: Scenario = {
  name: 'upload',
  side: 'receiver',
  exclude: ['receiver.lock'],
  async prepare(place) {
    await prepareState(place)
    await prepareBodies(
      place,
      ['parts', 'cancelled', 'left', 'overtaken'].map((label) => ({ label, id: label, commit: commits[0], bytes: 3000 })),
    )
    await withReceiver(place, async () => undefined)
  },
  work: (place, tell, begin) =>
    withReceiver(place, async (client) => {
      begin()
      await upload(place, client, tell)
    }),
  restart: (place) => withReceiver(place, async () => undefined),
  check: (place, checked) => checkReceiver(place, checked, { again, look: lookAtUploads, goneAfterFault: true, ...running }),
}
