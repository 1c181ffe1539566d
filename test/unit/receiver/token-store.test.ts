import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostName } from '@cis490/shared/ids.ts'
import { expect, test } from 'vitest'
import { TokenStore } from '../../../packages/receiver/src/ca/token-store.ts'
import { readToken, writeToken } from '../../../packages/receiver/src/core/join-token.ts'
import { scratchDir } from '../../support/scratch.ts'

const day = 86_400_000
const now = Date.UTC(2026, 10, 22)
const pin = 'ab'.repeat(32)
const host = HostName.parse('lab-07')
const [mine, theirs] = ['key of one', 'key of another']

async function made() {
  const folder = join(scratchDir(), 'tokens')
  const store = new TokenStore(folder)
  const token = await store.create(host, pin, { now, ms: day }, 'somebody')
  const redeem = (change: { key?: string; host?: string; now?: number; pins?: string[] } = {}, given = token) =>
    new TokenStore(folder).redeem(given, change.pins ?? [pin], { host, key: mine, now, ...change })
  return { folder, store, token, redeem }
}

test('a token as text is read back, and nothing else is one', async () => {
  const { token } = await made()
  expect(readToken(` ${writeToken(token)}\n`)).toEqual(token)
  expect(writeToken(token)).toMatch(/^[0-9a-f]{8}\.[\w-]{43}\.[0-9a-f]{64}$/)
  for (const text of [
    '',
    'a.b.c',
    `../../..${writeToken(token).slice(8)}`,
    `${writeToken(token)}0`,
    writeToken(token).toUpperCase(),
  ])
    expect(readToken(text)).toBeUndefined()
})

test('only a hash of the secret is stored, in a folder that nobody else may read', async () => {
  const { folder, token } = await made()
  const [name = ''] = readdirSync(folder)
  expect(readFileSync(join(folder, name), 'utf8')).not.toContain(token.secret)
  expect([statSync(folder).mode & 0o777, statSync(join(folder, name)).mode & 0o777]).toEqual([0o700, 0o600])
})

test('of many hosts that come with one token at once exactly one gets it', async () => {
  const { redeem, store } = await made()
  const verdicts = await Promise.all(Array.from({ length: 12 }, (_, k) => redeem({ key: `key ${k}` })))
  expect(verdicts.filter((verdict) => verdict === 'good')).toHaveLength(1)
  expect(verdicts.filter((verdict) => verdict === 'used')).toHaveLength(11)
  expect((await store.list(now)).map(({ state }) => state)).toEqual(['used'])
})

test('a host whose answer was lost may ask again with the same key, after a restart too', async () => {
  const { redeem } = await made()
  expect([await redeem(), await redeem(), await redeem({ key: theirs })]).toEqual(['good', 'good', 'used'])
})

test('a token that is refused is not used up', async () => {
  const { redeem, token } = await made()
  expect(await redeem({}, { ...token, secret: 'A'.repeat(43) })).toBe('unknown')
  expect(await redeem({}, { ...token, id: '00000000' })).toBe('unknown')
  expect(await redeem({ host: 'lab-08' })).toBe('other-host')
  expect(await redeem({ pins: ['cd'.repeat(32)] })).toBe('other-ca')
  expect(await redeem({ now: now + day })).toBe('expired')
  expect(await redeem({ key: theirs, now: now + day - 1 })).toBe('good')
})

test('nothing is to be learnt about a token without its secret', async () => {
  const { redeem, token } = await made()
  const guess = { ...token, secret: 'A'.repeat(43) }
  for (const change of [{ host: 'lab-08' }, { pins: [] }, { now: now + day }]) expect(await redeem(change, guess)).toBe('unknown')
})

test('a token that was taken away is unknown', async () => {
  const { redeem, store, token } = await made()
  await redeem()
  expect([await store.remove(token.id), await store.remove(token.id)]).toEqual([true, false])
  expect([await redeem(), await store.list(now)]).toEqual(['unknown', []])
})

test('tokens that ended a week ago are cleaned away, and what a crash left after a day', async () => {
  const { folder, store, token, redeem } = await made()
  await redeem()
  for (const name of ['11111111.json-aaaaaaaa.tmp', '22222222.used']) {
    writeFileSync(join(folder, name), '{')
    utimesSync(join(folder, name), now / 1000, now / 1000)
  }
  expect(await store.clean(now + day)).toBe(0)
  expect(readdirSync(folder)).toHaveLength(4)
  expect(await store.clean(now + 8 * day)).toBe(0)
  expect(readdirSync(folder).sort()).toEqual([`${token.id}.json`, `${token.id}.used`])
  expect(await store.clean(now + 8 * day + 1)).toBe(1)
  expect(readdirSync(folder)).toEqual([])
})

test('half a file is no token', async () => {
  const { folder, token, redeem } = await made()
  writeFileSync(join(folder, `${token.id}.json`), '{"id":"')
  expect(await redeem()).toBe('unknown')
})
