import { EpisodeId, HostName } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { UploadsRunning } from '../../../packages/receiver/src/http/uploads-running.ts'

const host = HostName.parse('lab-07')
const id = (text: string) => EpisodeId.parse(text)

test('room that running bodies were promised stays taken until it is used or given back', () => {
  const running = new UploadsRunning()
  const first = running.begin(host, id('a'), 100)
  const second = running.begin(host, id('b'), 50)
  expect(running.outstanding).toBe(150)
  first?.arrived(30)
  expect(running.outstanding).toBe(120)
  second?.arrived(80)
  expect(running.outstanding).toBe(70)
  first?.[Symbol.dispose]()
  second?.[Symbol.dispose]()
  expect([running.outstanding, running.bodies, running.ofHost(host)]).toEqual([0, 0, 0])
})

test('one episode is uploaded once at a time', () => {
  const running = new UploadsRunning()
  const turn = running.begin(host, id('a'))
  expect(running.begin(host, id('a'))).toBeUndefined()
  turn?.[Symbol.dispose]()
  expect(running.begin(host, id('a'))).toBeDefined()
})
