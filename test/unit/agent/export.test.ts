/** `cis490-agent export` as its own process, onto folders and onto file systems that are too small or know no links. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readManifest, signedText } from '@cis490/shared/export-manifest.ts'
import { verifiesWithKey } from '@cis490/shared/node/key-signature.ts'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { scan } from '../../../packages/agent/src/commands/scan-episodes.ts'
import { parsePem } from '../../../packages/receiver/src/http/certificate.ts'
import { type AgentHome, makeAgentHome, recordEpisode } from '../../support/agent-home.ts'
import { expired, hostFiles, type IssuedFiles, makePki, type Pki } from '../../support/pki.ts'
import { type Finished, runToEnd } from '../../support/program.ts'
import { shipBench } from '../../support/ship-bench.ts'

let dir: string
let pki: Pki
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cis490-export-'))
  pki = await makePki(dir)
})
afterAll(() => rm(dir, { recursive: true }))

/** A home with packed episodes. @param kib of each; random, so that it does not shrink */
async function home(ids: string[], { kib = 1, by = pki.host as IssuedFiles | null } = {}): Promise<AgentHome> {
  const made = makeAgentHome('[quota]\nreserve = "0"\n')
  const toml = readFileSync(made.config, 'utf8')
  const identity = by ? `cert_file = "${by.certFile}"\nkey_file = "${by.keyFile}"\n` : ''
  writeFileSync(made.config, toml.replace('[paths]', `${identity}[paths]`).replace(/^/, by ? '' : '[host]\nname = "lab-07"\n'))
  for (const id of ids) recordEpisode(made, id, { 'a.bin': noise(kib) })
  await pack(made)
  return made
}

async function pack(from: AgentHome): Promise<void> {
  await scan((await shipBench({ url: 'http://127.0.0.1:1', home: from })).context)
}

function noise(kib: number): string {
  return Array.from({ length: kib * 8 }, () => Math.random().toString(36).padEnd(128, Math.random().toString(36))).join('')
}

function exportTo(stick: string, from: AgentHome, ...more: string[]): Promise<Finished> {
  return runToEnd('agent', ['export', stick, '--config', from.config, ...more])
}

function stickIn(from: AgentHome): string {
  const stick = join(from.root, 'stick')
  mkdirSync(stick)
  return stick
}

/** What the manifest names, after its signature was checked. */
function named(stick: string): string[] {
  const read = readManifest(readFileSync(join(stick, 'lab-07', 'manifest.jsonl'), 'utf8'))
  if ('fault' in read) throw new Error(read.fault)
  const [leaf] = parsePem(read.signature.certificates.join('\n')) ?? []
  expect(leaf && verifiesWithKey(signedText(read.line), leaf.x509.publicKey, read.signature.signature)).toBe(true)
  return read.manifest.entries.map(({ id }) => id)
}

test('an export run again copies what is new, and takes nothing out of the outbox', async () => {
  const from = await home(['a', 'b'])
  const stick = stickIn(from)
  const before = readdirSync(from.outbox)
  expect(JSON.parse((await exportTo(stick, from, '--json')).stdout)).toMatchObject({ copied: ['a', 'b'], already_there: [] })
  const { ino } = statSync(join(stick, 'lab-07', 'a.tar.zst'))
  recordEpisode(from, 'c')
  await pack(from)
  writeFileSync(join(stick, 'lab-07', 'd.tar.zst.part'), 'left by a stick that was pulled out')
  const again = await exportTo(stick, from, '--json')
  expect(JSON.parse(again.stdout)).toMatchObject({ copied: ['c'], already_there: ['a', 'b'], left_out: [] })
  expect(statSync(join(stick, 'lab-07', 'a.tar.zst')).ino).toBe(ino)
  expect(named(stick)).toEqual(['a', 'b', 'c'])
  expect(readdirSync(join(stick, 'lab-07'))).toEqual(['a.tar.zst', 'b.tar.zst', 'c.tar.zst', 'manifest.jsonl'])
  expect(readdirSync(from.outbox)).toEqual(expect.arrayContaining(before))
})

test('an archive that is damaged in the outbox is left out and told, the others go along', async () => {
  const from = await home(['a', 'b'])
  const stick = stickIn(from)
  const path = join(from.outbox, 'a.tar.zst')
  const bytes = readFileSync(path)
  bytes[bytes.length - 9] = (bytes[bytes.length - 9] ?? 0) ^ 1
  writeFileSync(path, bytes)
  const run = await exportTo(stick, from)
  expect([run.code, run.stdout]).toEqual([1, expect.stringContaining('left out a: damaged')])
  expect(named(stick)).toEqual(['b'])
  expect(readdirSync(join(stick, 'lab-07'))).toEqual(['b.tar.zst', 'manifest.jsonl'])
})

test('a copy whose receipt has come back is removed from the stick', async () => {
  const from = await home(['a', 'b'])
  const stick = stickIn(from)
  await exportTo(stick, from)
  const { sha256 } = JSON.parse(readFileSync(join(from.outbox, 'a.json'), 'utf8')) as { sha256: string }
  writeFileSync(join(from.state, 'receipts.jsonl'), `${JSON.stringify({ id: 'a', host: 'lab-07', sha256, received_at: 'x' })}\n`)
  expect(JSON.parse((await exportTo(stick, from, '--json')).stdout)).toMatchObject({
    removed: ['a.tar.zst'],
    already_there: ['b'],
  })
  expect(named(stick)).toEqual(['b'])
})

test.each([
  ['without a certificate', 78, /set receiver.cert_file and receiver.key_file/, undefined],
  ['with one that has expired', 3, /expired on .*put a new certificate there/, 3],
])('a host %s exports nothing', async (_, code, message, daysAgo) => {
  const by = daysAgo === undefined ? null : await hostFiles(dir, 'expired', pki.authority, 'lab-07', expired(daysAgo))
  const from = await home(['a'], { by })
  const stick = stickIn(from)
  const run = await exportTo(stick, from)
  expect([run.code, run.stderr]).toEqual([code, expect.stringMatching(message)])
  expect(readdirSync(stick)).toEqual([])
})

test('a new folder is made, a stick that is not mounted is not', async () => {
  const from = await home(['a'])
  expect((await exportTo(join(from.root, 'new'), from)).code).toBe(0)
  expect(named(join(from.root, 'new'))).toEqual(['a'])
  const run = await exportTo('/media/no-such-user/NO_SUCH_STICK', from)
  expect([run.code, run.stderr]).toEqual([3, expect.stringContaining('is the stick mounted?')])
  const file = await exportTo(from.config, from)
  expect([file.code, file.stderr]).toEqual([3, expect.stringContaining('is no folder')])
})

const isRoot = process.getuid?.() === 0
const hasFat = existsSync('/sbin/mkfs.vfat') || existsSync('/usr/sbin/mkfs.vfat')

function mounted(from: AgentHome, ...args: string[]): string {
  const at = stickIn(from)
  execFileSync('mount', [...args, at])
  onTestFinished(() => void execFileSync('umount', [at]))
  return at
}

test.skipIf(!isRoot)(
  'a full stick is told in one line, what is whole on it stays valid, and with room the rest follows',
  async () => {
    const from = await home(['a', 'b', 'c'], { kib: 400 })
    const { bytes } = JSON.parse(readFileSync(join(from.outbox, 'a.json'), 'utf8')) as { bytes: number }
    const stick = mounted(from, '-t', 'tmpfs', '-o', `size=${Math.ceil((bytes * 2.5) / 4096) * 4}k`, 'tmpfs')
    const run = await exportTo(stick, from)
    expect(run.code).toBe(3)
    expect(run.stderr).toMatch(/no room left in .*: 2 of 3 archives are whole on it and can be imported; run the export again/)
    expect(named(stick)).toEqual(['a', 'b'])
    expect(readdirSync(join(stick, 'lab-07'))).toEqual(['a.tar.zst', 'b.tar.zst', 'manifest.jsonl'])
    execFileSync('mount', ['-o', `remount,size=${bytes * 4}`, stick])
    expect(JSON.parse((await exportTo(stick, from, '--json')).stdout)).toMatchObject({ copied: ['c'], already_there: ['a', 'b'] })
    expect(named(stick)).toEqual(['a', 'b', 'c'])
  },
)

test.skipIf(!isRoot || !hasFat)(
  'a FAT stick, which has no links and no case, keeps two ids apart that differ in nothing else',
  async () => {
    const from = await home(['Run-1', 'run-1'])
    const image = join(from.root, 'fat.img')
    execFileSync('truncate', ['-s', '8M', image])
    execFileSync('mkfs.vfat', [image])
    const stick = mounted(from, '-o', 'loop', image)
    expect((await exportTo(stick, from)).code).toBe(0)
    expect(named(stick)).toEqual(['Run-1', 'run-1'])
    expect(readdirSync(join(stick, 'lab-07'))).toHaveLength(3)
  },
)
