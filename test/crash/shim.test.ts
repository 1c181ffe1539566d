/** The instrument itself: what it counts, and how it ends things. Measured on a small program, not on ours. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type Arming, buildShim, readOperations } from '../../scripts/crash/shim.ts'
import { scratchDir } from '../support/scratch.ts'

const folder = mkdtempSync(join(tmpdir(), 'cis490-shim-'))
let shim: string
const shimSource = new URL('../../scripts/crash/shim.ts', import.meta.url).href

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

beforeAll(async () => {
  shim = await buildShim(folder)
})
afterAll(() => rmSync(folder, { recursive: true }))

const work = `
  await fsp.mkdir(dir + '/d')
  const file = await fsp.open(dir + '/d/a', 'wx')
  await file.write(Buffer.from('0123456789'))
  await file.sync()
  await file.datasync()
  await file.truncate(8)
  await file.close()
  await fsp.link(dir + '/d/a', dir + '/b')
  await fsp.rename(dir + '/b', dir + '/c')
  await fsp.copyFile(dir + '/c', dir + '/e')
  await fsp.unlink(dir + '/c')
  await fsp.writeFile(dir + '/lock', 'x')
  await fsp.readFile(dir + '/d/a')
`

function run(arming: Partial<Arming>, body = work, prepare: (dir: string) => void = () => undefined) {
  const folder = scratchDir()
  const dir = join(folder, 'dir')
  mkdirSync(dir)
  prepare(dir)
  const log = join(folder, 'log')
  const program = join(folder, 'program.mts')
  const whole = { prefix: dir, exclude: ['lock'], at: 0, mode: 'log', log, ...arming }
  writeFileSync(
    program,
    `import fsp from 'node:fs/promises'\nimport { arm } from ${JSON.stringify(shimSource)}\nconst dir = ${JSON.stringify(dir)}\narm(${JSON.stringify(whole)})\n${body}`,
  )
  const ended = spawnSync(process.execPath, [program], { env: { ...process.env, LD_PRELOAD: shim }, encoding: 'utf8' })
  return { dir, ended, operations: readOperations(log) }
}

test('counts what changes the folder, over all threads, and nothing else', () => {
  const { operations, ended } = run({})
  expect(ended.stderr).toBe('')
  expect(operations.map(({ number, call }) => `${number} ${call}`)).toEqual([
    '1 mkdir',
    '2 open',
    '3 write',
    '4 fsync',
    '5 fdatasync',
    '6 ftruncate',
    '7 link',
    '8 rename',
    ...operations.slice(8).map(({ number, call }) => `${number} ${call}`),
  ])
  // How a file is copied is the system's affair; that it is noticed is ours.
  expect(operations.slice(8).map(({ call }) => call)).toEqual(expect.arrayContaining(['open', 'unlink']))
  expect(
    operations.some(({ call, path }) => ['copy_file_range', 'sendfile', 'ftruncate'].includes(call) && path.endsWith('/e')),
  ).toBe(true)
})

test('before: the call has no effect; after: it has, and the next one has not', () => {
  const before = run({ at: 2, mode: 'before' })
  expect([before.ended.signal, readdirSync(join(before.dir, 'd'))]).toEqual(['SIGKILL', []])
  const after = run({ at: 2, mode: 'after' })
  expect([after.ended.signal, readFileSync(join(after.dir, 'd/a'), 'utf8')]).toEqual(['SIGKILL', ''])
})

test('torn: half of the write is there', () => {
  const { dir, ended } = run({ at: 3, mode: 'torn' })
  expect([ended.signal, readFileSync(join(dir, 'd/a'), 'utf8')]).toEqual(['SIGKILL', '01234'])
})

test('an error is what the program gets, once or from then on', () => {
  const catching = `
    const tried = []
    for (const name of ['x', 'y', 'z']) await fsp.mkdir(dir + '/' + name).catch((error) => tried.push(name + ' ' + error.code))
    console.log(tried.join(', '))
  `
  expect(run({ at: 2, mode: 'error', errno: 30 }, catching).ended.stdout).toBe('y EROFS\n')
  expect(run({ at: 2, mode: 'error', errno: 28, sticky: true }, catching).ended.stdout).toBe('y ENOSPC, z ENOSPC\n')
})

test('a full disk takes half of a write without a word, and refuses the next', () => {
  const writing = `
    const file = await fsp.open(dir + '/a', 'wx')
    console.log((await file.write(Buffer.from('0123456789'))).bytesWritten)
    await file.write(Buffer.from('56789')).catch((error) => console.log(error.code))
  `
  const { dir, ended } = run({ at: 2, mode: 'error', errno: 28 }, writing)
  expect(ended.stdout).toBe('5\nENOSPC\n')
  expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('01234')
})

test('a sync that fails loses what it was to save, and one that is tried again says nothing of it', () => {
  const syncing = `
    const file = await fsp.open(dir + '/a', 'wx')
    await file.write(Buffer.from('kept'))
    await file.sync()
    await file.write(Buffer.from('lost'))
    await file.sync().catch((error) => console.log(error.code))
    await file.sync().then(() => console.log('fine'))
  `
  const { dir, ended } = run({ at: 5, mode: 'error', errno: 5 }, syncing)
  expect(ended.stdout).toBe('EIO\nfine\n')
  expect(readFileSync(join(dir, 'a'), 'latin1')).toBe(`kept${'\0'.repeat(4)}`)
})

test('children are not counted', () => {
  const spawning = `
    const { execFileSync } = await import('node:child_process')
    execFileSync('touch', [dir + '/by-a-child'])
  `
  const { dir, operations } = run({ at: 1, mode: 'before' }, spawning)
  expect(existsSync(join(dir, 'by-a-child'))).toBe(true)
  expect(operations).toEqual([])
})

test('an archive that the disk refuses once is read again, one that it refuses for good is unreadable', () => {
  const reader = new URL('../../packages/receiver/src/store/hash-file.ts', import.meta.url).href
  const program = `
    const { hashReadable } = await import(${JSON.stringify(reader)})
    console.log(await hashReadable(dir + '/archive'))
  `
  const read = (sticky: boolean) => {
    const prepared = (dir: string) => writeFileSync(join(dir, 'archive'), 'bytes')
    return run({ at: 1, mode: 'error', errno: 5, reads: true, sticky }, program, prepared).ended.stdout.trim()
  }
  expect([read(false), read(true)]).toEqual([createHash('sha256').update('bytes').digest('hex'), 'undefined'])
})
