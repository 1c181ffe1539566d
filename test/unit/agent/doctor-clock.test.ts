import http from 'node:http'
import { describe, expect, test } from 'vitest'
import { skew } from '../../../packages/agent/src/doctor/hello.ts'
import { expectBroken } from '../../support/broken.ts'
import { examined, hostConfig } from '../../support/examined.ts'
import { listening } from '../../support/listening.ts'

describe('clock', () => {
  const judge = async (aheadMs: number) => {
    const server = http.createServer((_, answer) => answer.setHeader('date', new Date(Date.now() + aheadMs).toUTCString()).end())
    const config = hostConfig({ url: `http://127.0.0.1:${await listening(server)}` }, { host: { name: 'lab-07' } })
    return await examined(config, ['clock'])
  }
  test('a few seconds are nothing, a minute is a warning, ten minutes are a fail', async () => {
    expect((await judge(5000))['clock']).toMatchObject({
      outcome: 'pass',
      text: expect.stringMatching(/differ by|agree/) as string,
    })
    expectBroken(await judge(60_000), {
      breaks: 'clock',
      outcome: 'warn',
      text: /^this clock is (1 min|5\d s) behind the receiver's/,
      remedy: /timedatectl set-ntp true/,
    })
    expectBroken(await judge(-600_000), {
      breaks: 'clock',
      outcome: 'fail',
      text: /^this clock is (10 min|9 min 5\d s) ahead of the receiver's/,
      remedy: /timedatectl set-ntp true/,
    })
  })

  test.each([
    ['their second has begun within the question', 10_000, 9500, 10_200, 0],
    ['their second ended before it', 5000, 9500, 10_200, -3501],
    ['their second begins after it', 15_000, 9500, 10_200, 4800],
  ])('%s', (_, theirs, began, ended, ms) => {
    expect(skew(theirs, began, ended)).toBe(ms)
  })
})
