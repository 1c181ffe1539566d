import http from 'node:http'
import { describe, expect, test } from 'vitest'
import { skew } from '../../../packages/agent/src/doctor/hello.ts'
import { examined, hostConfig } from '../../support/examined.ts'
import { listening } from '../../support/listening.ts'

describe('clock', () => {
  const judge = async (aheadMs: number) => {
    const server = http.createServer((_, answer) => answer.setHeader('date', new Date(Date.now() + aheadMs).toUTCString()).end())
    const config = hostConfig({ url: `http://127.0.0.1:${await listening(server)}` }, { host: { name: 'lab-07' } })
    return (await examined(config, ['clock']))['clock']
  }
  test.each([
    ['a few seconds are nothing', 5000, 'pass', /differ by|agree/],
    ['a minute is a warning', 60_000, 'warn', /^this clock is (1 min|5\d s) behind the receiver's/],
    ['ten minutes are a fail', -600_000, 'fail', /^this clock is (10 min|9 min 5\d s) ahead of the receiver's/],
  ])('%s', async (_, ahead, outcome, text) => {
    const result = await judge(ahead)
    expect(result).toMatchObject({ outcome, text: expect.stringMatching(text) as string })
    expect(result?.remedy ?? 'timedatectl').toContain('timedatectl')
  })

  test.each([
    ['their second has begun within the question', 10_000, 9500, 10_200, 0],
    ['their second ended before it', 5000, 9500, 10_200, -3501],
    ['their second begins after it', 15_000, 9500, 10_200, 4800],
  ])('%s', (_, theirs, began, ended, ms) => {
    expect(skew(theirs, began, ended)).toBe(ms)
  })
})
