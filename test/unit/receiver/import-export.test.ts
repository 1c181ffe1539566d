/** Exports made by the agent's own code, spoiled in every way, against a real receiver's admin socket. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { timestamp } from '@cis490/shared/ids.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AdminClient } from '../../../packages/receiver/src/admin/client.ts'
import { listExports, writeReceiptKeys } from '../../../packages/receiver/src/stick/exports.ts'
import {
  expired,
  fingerprintOf,
  foreignAuthority,
  hostFiles,
  impostorAuthority,
  issueFiles,
  notYetValid,
} from '../../support/pki.ts'
import { Site, type TestReceiver } from '../../support/receiver.ts'
import { scratchDir } from '../../support/scratch.ts'
import { TestStick } from '../../support/stick.ts'

const day = 86_400_000
let site: Site
let receiver: TestReceiver
let stick: TestStick

beforeAll(async () => {
  site = await Site.make()
  receiver = await site.start()
})
afterAll(() => site[Symbol.asyncDispose]())
beforeEach(() => {
  stick = new TestStick(receiver)
})

async function isStored(id: string): Promise<boolean> {
  return (await receiver.index()).some((row) => row['id'] === id)
}

describe('who made an export', () => {
  test('is the host of the certificate that signed it', async () => {
    await stick.export()
    expect(await stick.verdict()).toBe('export of lab-07')
  })

  const added = `"entries":[{"id":"x","sha256":"${'a'.repeat(64)}","bytes":1,"file":"x.tar.zst"},`
  const otherDigit = (_: string, name: string, digit: string) => `"${name}":"${digit === '0' ? '1' : '0'}`
  test.each([
    ['an edited host', (text: string) => text.replace('"host":"lab-07"', '"host":"lab-08"')],
    ['an edited hash', (text: string) => text.replace(/"(sha256)":"(.)/, otherDigit)],
    ['an edited commit', (text: string) => text.replace(/"(commit)":"(.)/, otherDigit)],
    ['an added entry', (text: string) => text.replace('"entries":[', added)],
    ['a space', (text: string) => text.replace('{', '{ ')],
  ])('cannot be told after %s', async (_, edit) => {
    await stick.export()
    const path = stick.manifest
    writeFileSync(path, edit(readFileSync(path, 'utf8')))
    expect(await stick.verdict()).toMatch(/the signature is not that of the certificate/)
  })

  test('is nobody where the certificate was exchanged for another one of this fleet', async () => {
    await stick.export()
    const other = await hostFiles(site.pki.dir, 'other', site.pki.authority, 'lab-08')
    const path = stick.manifest
    const [line = '', second = '{}'] = readFileSync(path, 'utf8').split('\n')
    writeFileSync(path, `${line}\n${JSON.stringify({ ...(JSON.parse(second) as object), certificates: [other.certPem] })}\n`)
    expect(await stick.verdict()).toMatch(/another host signed it/)
  })

  test('is not the host that another one names', async () => {
    const other = await hostFiles(site.pki.dir, 'other', site.pki.authority, 'lab-08')
    await stick.export({ by: other })
    expect(await stick.verdict()).toBe('the certificate is that of lab-08, the manifest names lab-07')
  })

  test('cannot be a host of another authority, of one that calls itself the same included', async () => {
    await stick.export({ by: await hostFiles(site.pki.dir, 'foreign', await foreignAuthority(), 'lab-07') })
    expect(await stick.verdict()).toMatch(/no authority of client_ca_file signed/)
    await stick.export({ by: await hostFiles(site.pki.dir, 'impostor', await impostorAuthority(site.pki.authority), 'lab-07') })
    expect(await stick.verdict()).toMatch(/no authority of client_ca_file signed/)
  })

  test('cannot be a server', async () => {
    const options = { commonName: 'lab-07', dnsNames: ['lab-07'], usage: 'server' } as const
    await stick.export({ by: await issueFiles(site.pki.dir, 'server-as-host', site.pki.authority, options) })
    expect(await stick.verdict()).toMatch(/not meant for clients/)
  })

  test('has to be on the allow-list where there is one', async () => {
    await stick.export()
    const hostsFile = join(stick.dir, 'hosts')
    writeFileSync(hostsFile, `${'0'.repeat(64)} lab-07\n`)
    expect(await stick.verdict(stick.peers({ hostsFile }))).toMatch(/not on the list of hosts/)
    writeFileSync(hostsFile, `${fingerprintOf(site.pki.host.certPem)} lab-07\n`)
    expect(await stick.verdict(stick.peers({ hostsFile }))).toBe('export of lab-07')
  })
})

describe('a certificate that has ended', () => {
  test.each([
    [10, 20, 'export of lab-07'],
    [29, 30, 'export of lab-07'],
    [31, 32, 'the client certificate has expired'],
  ])('%i days ago, %i days after the export was made', async (ended, made, expected) => {
    const by = await hostFiles(site.pki.dir, `ended-${ended}`, site.pki.authority, 'lab-07', expired(ended))
    await stick.export({ by, made: Date.now() - made * day })
    expect(await stick.verdict()).toBe(expected)
  })

  test('before the export was made is no good', async () => {
    await stick.export({ by: await hostFiles(site.pki.dir, 'ended', site.pki.authority, 'lab-07', expired(10)) })
    expect(await stick.verdict()).toBe('the client certificate has expired')
  })

  test('or has not begun is no good', async () => {
    await stick.export({ by: await hostFiles(site.pki.dir, 'early', site.pki.authority, 'lab-07', notYetValid()) })
    expect(await stick.verdict()).toMatch(/not valid yet/)
  })
})

describe('a manifest that is none', () => {
  test.each([
    ['empty', ''],
    ['of one line', '{}\n'],
    ['of three lines', '{}\n{}\n{}\n'],
    ['no JSON', 'hello\nworld\n'],
    [
      'with a file outside',
      JSON.stringify({
        format: 'cis490-export-1',
        host: 'lab-07',
        created_at: timestamp(0),
        entries: [{ id: 'x', sha256: 'a'.repeat(64), bytes: 1, file: '../x.tar.zst' }],
      }),
    ],
    [
      'with an id that is none',
      JSON.stringify({
        format: 'cis490-export-1',
        host: 'lab-07',
        created_at: timestamp(0),
        entries: [{ id: '../x', sha256: 'a'.repeat(64), bytes: 1, file: 'x.tar.zst' }],
      }),
    ],
  ])('%s, is told so', async (_, text) => {
    await stick.export()
    writeFileSync(stick.manifest, text)
    expect(await stick.verdict()).toMatch(/the manifest cannot be read/)
  })

  test('a link, is not followed', async () => {
    await stick.export()
    renameSync(stick.manifest, join(stick.dir, 'real'))
    symlinkSync(join(stick.dir, 'real'), stick.manifest)
    expect(await listExports(stick.dir)).toEqual([])
    expect(await stick.verdict()).toMatch(/not a plain file/)
  })
})

describe('an archive', () => {
  test('that is whole is stored, with the certificate in its receipt, and the receipt lies on the stick', async () => {
    const [id = ''] = await stick.export()
    expect(await stick.import()).toEqual({ [id]: { outcome: 'stored' } })
    const row = (await receiver.index()).find((one) => one['id'] === id)
    expect(row).toMatchObject({ host: 'lab-07', commit: site.head, cert_fingerprint: fingerprintOf(site.pki.host.certPem) })
    const receipt = readFileSync(join(stick.receipts, `${id}.json`), 'utf8')
    expect(JSON.parse(receipt)).toMatchObject({ id, host: 'lab-07' })
    expect(existsSync(join(stick.receipts, `${id}.json.sig`))).toBe(false)
    expect(await stick.import()).toEqual({ [id]: { outcome: 'already' } })
    expect(readFileSync(join(stick.receipts, `${id}.json`), 'utf8')).toBe(receipt)
  })

  test.each([
    [
      'with one flipped bit',
      (path: string) => {
        const bytes = readFileSync(path)
        const at = bytes.length >> 1
        bytes[at] = (bytes[at] ?? 0) ^ 1
        writeFileSync(path, bytes)
      },
      'sha256-mismatch',
    ],
    ['cut short', (path: string) => truncateSync(path, statSync(path).size - 1), 'sha256-mismatch'],
    ['that is empty', (path: string) => truncateSync(path, 0), 'sha256-mismatch'],
    ['that grew', (path: string) => writeFileSync(path, 'x', { flag: 'a' }), 'sha256-mismatch'],
  ])('%s is refused, with a row, and nothing of it stays', async (_, spoil, code) => {
    const [bad = '', good = ''] = await stick.export({ count: 2 })
    spoil(stick.archive(bad))
    expect(await stick.import()).toMatchObject({ [bad]: { outcome: 'refused', code }, [good]: { outcome: 'stored' } })
    expect([await isStored(bad), await isStored(good)]).toEqual([false, true])
    expect((await receiver.rejects()).find((row) => row['id'] === bad)).toMatchObject({ host: 'lab-07', code })
    expect(await receiver.incoming()).toEqual([])
    expect(readdirSync(stick.receipts)).toEqual([`${good}.json`])
  })

  test('that is gone, or is a link, is missing', async () => {
    const [gone = '', link = ''] = await stick.export({ count: 2 })
    rmSync(stick.archive(gone))
    renameSync(stick.archive(link), join(stick.dir, 'elsewhere'))
    symlinkSync(join(stick.dir, 'elsewhere'), stick.archive(link))
    expect(await stick.import()).toEqual({ [gone]: { outcome: 'missing' }, [link]: { outcome: 'missing' } })
  })

  test('of old code is refused by the gate before it is read, with the lines that mend it', async () => {
    const [id = ''] = await stick.export({ commit: site.tooOld })
    expect(await stick.import()).toMatchObject({
      [id]: { outcome: 'refused', code: 'commit-not-in-window', remediation: expect.stringContaining('git pull') as string },
    })
    expect((await receiver.rejects()).find((row) => row['id'] === id)).toMatchObject({ bytes_read: 0, commit: site.tooOld })
  })
})

test('the admin socket is for the user of the receiver alone, and serves what the operator needs', async () => {
  const path = join(receiver.stateDir, 'admin.sock')
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const client = new AdminClient(path)
  expect(await client.answers()).toBe(true)
  expect((await client.ask('GET', '/readyz')).status).toBe(200)
  expect(await new AdminClient(join(stick.dir, 'absent')).answers()).toBe(false)
})

test('the socket of a receiver that was killed does not keep the next one from its own', async () => {
  const stateDir = site.newStateDir()
  await mkdir(stateDir, { recursive: true })
  writeFileSync(join(stateDir, 'admin.sock'), '')
  const next = await site.start({ stateDir })
  expect(await new AdminClient(join(next.stateDir, 'admin.sock')).answers()).toBe(true)
  await next.stop()
  expect(existsSync(join(stateDir, 'admin.sock'))).toBe(false)
})

test('a store in a deep folder has its socket too, although the kernel takes 107 bytes', async () => {
  const stateDir = join(site.newStateDir(), 'deep'.repeat(20), 'deeper'.repeat(10))
  const deep = await site.start({ stateDir })
  const path = join(stateDir, 'admin.sock')
  expect(path.length).toBeGreaterThan(150)
  expect(await new AdminClient(path).answers()).toBe(true)
  await deep.stop()
  expect(existsSync(path)).toBe(false)
})

describe('the receipts on a stick', () => {
  test.each([
    ['of its host', (place: string) => symlinkSync(place, stick.receipts)],
    ['of all', (place: string) => symlinkSync(place, join(stick.dir, 'receipts'))],
  ])('are not written through a link in the place of the folder %s', async (which, link) => {
    const place = scratchDir()
    await stick.export()
    if (which === 'of its host') await mkdir(join(stick.dir, 'receipts'))
    link(place)
    await expect(stick.import()).rejects.toThrow(/receipts.* is no folder of the stick/)
    if (which === 'of all') await expect(writeReceiptKeys(stick.dir, 'keys')).rejects.toThrow(/is no folder of the stick/)
    expect(readdirSync(place)).toEqual([])
  })

  test('do not wait for a pipe that lies in their place', async () => {
    const [id = ''] = await stick.export()
    await mkdir(stick.receipts, { recursive: true })
    execFileSync('mkfifo', [join(stick.receipts, `${id}.json`)])
    expect(await stick.import()).toEqual({ [id]: { outcome: 'stored' } })
    expect(JSON.parse(readFileSync(join(stick.receipts, `${id}.json`), 'utf8'))).toMatchObject({ id })
  })
})
