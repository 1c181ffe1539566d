import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { OutgoingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BearerCheck } from '../../../packages/receiver/src/http/bearer.ts'
import { type Answer, ask, peerServer } from '../../support/peer-server.ts'
import { makePki, type Pki } from '../../support/pki.ts'

let dir: string
let pki: Pki
let files: string[]
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bearer-'))
  pki = await makePki(dir)
  files = [join(dir, 'old'), join(dir, 'new')]
  await writeFile(join(dir, 'old'), 'old-token\n')
  await writeFile(join(dir, 'new'), '  new-token')
})
afterAll(() => rm(dir, { recursive: true }))

async function askWith(check: BearerCheck, headers: OutgoingHttpHeaders, now = Date.now()): Promise<Answer> {
  await using server = await peerServer('plain', (req) => {
    check.check(req, now)
    return { reader: false, remote: '', via: 'none' }
  })
  return await ask(server, pki, { headers })
}

test.each(['Bearer old-token', 'bearer new-token', 'BEARER   new-token'])('%j is let in', async (authorization) => {
  expect((await askWith(new BearerCheck(files), { authorization })).code).toBeUndefined()
})

test.each([
  undefined,
  '',
  'Bearer',
  'Bearer ',
  'Bearer old-toke',
  'Bearer old-token2',
  'Bearer old-token new-token',
  'Bearer ÿ',
  'Basic b2xkLXRva2Vu',
  'old-token',
])('%j is unauthorized', async (authorization) => {
  const headers = authorization === undefined ? {} : { authorization }
  expect(await askWith(new BearerCheck(files), headers)).toMatchObject({ code: 'unauthorized', status: 401 })
})

test('a repeated header is unauthorized', async () => {
  const authorization = ['Bearer old-token', 'Bearer wrong'] as unknown as string
  expect(await askWith(new BearerCheck(files), { authorization })).toMatchObject({ code: 'unauthorized' })
})

test('without tokens nobody is asked', async () => {
  expect((await askWith(new BearerCheck([]), {})).code).toBeUndefined()
})

test('a changed file changes its token, and only its own', async () => {
  const path = join(dir, 'rotated')
  await writeFile(path, 'first')
  const check = new BearerCheck([path, files[0] ?? ''])
  const now = Date.now()
  expect((await askWith(check, { authorization: 'Bearer first' }, now)).code).toBeUndefined()
  await writeFile(path, 'second')
  expect(await askWith(check, { authorization: 'Bearer first' }, now + 1000)).toMatchObject({ code: 'unauthorized' })
  expect((await askWith(check, { authorization: 'Bearer second' }, now + 1000)).code).toBeUndefined()
  expect((await askWith(check, { authorization: 'Bearer old-token' }, now + 1000)).code).toBeUndefined()
})

test('an empty, broken or absent token file is a configuration error', async () => {
  await writeFile(join(dir, 'empty'), '\n')
  await writeFile(join(dir, 'two'), 'one\ntwo\n')
  for (const name of ['empty', 'two']) expect(() => new BearerCheck([join(dir, name)]), name).toThrow(`${name}: one token`)
  expect(() => new BearerCheck([join(dir, 'absent')])).toThrow('ENOENT')
})
