import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { linkNew, makeDir, moveOver, removeFile, replaceFile, syncDir, writeNew } from '@cis490/shared/node/durable.ts'
import { isErrno } from '@cis490/shared/node/errno.ts'
import { expect, test } from 'vitest'
import { scratchDir } from '../../../support/scratch.ts'

const code = (wanted: string) => (error: unknown) => isErrno(error, wanted)

test('a new file has all its bytes and its mode', async () => {
  const path = join(scratchDir(), 'a')
  const bytes = Buffer.alloc(5 << 20, 'x')
  await writeNew(path, bytes, 0o600)
  expect(readFileSync(path).equals(bytes)).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a new file never takes the name of another, and leaves that one as it is', async () => {
  const dir = scratchDir()
  writeFileSync(join(dir, 'a'), 'first')
  await expect(writeNew(join(dir, 'a'), 'second')).rejects.toSatisfy(code('EEXIST'))
  expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('first')
  expect(readdirSync(dir)).toEqual(['a'])
})

test('a write that cannot be finished leaves nothing behind', async () => {
  const dir = scratchDir()
  await expect(writeNew(join(dir, 'a'), { length: 5 } as Uint8Array)).rejects.toThrow()
  expect(readdirSync(dir)).toEqual([])
})

test('a second name is the same file; a taken name is false and stays', async () => {
  const dir = scratchDir()
  const [from, to] = [join(dir, 'from'), join(dir, 'to')]
  writeFileSync(from, 'new')
  expect(linkNew(from, to)).toBe(true)
  expect(statSync(to).ino).toBe(statSync(from).ino)
  writeFileSync(join(dir, 'other'), 'old')
  expect(linkNew(from, join(dir, 'other'))).toBe(false)
  expect(readFileSync(join(dir, 'other'), 'utf8')).toBe('old')
})

test('a link that fails for another reason than the name says why', () => {
  const dir = scratchDir()
  expect(() => linkNew(join(dir, 'gone'), join(dir, 'to'))).toThrow('ENOENT')
})

test('a replaced file is a new file: who reads the old one reads on in the old bytes', async () => {
  const dir = scratchDir()
  const path = join(dir, 'a')
  await replaceFile(path, 'one')
  linkSync(path, join(dir, 'reader'))
  await replaceFile(path, 'two')
  expect(readFileSync(path, 'utf8')).toBe('two')
  expect(readFileSync(join(dir, 'reader'), 'utf8')).toBe('one')
  expect(readdirSync(dir).sort()).toEqual(['a', 'reader'])
})

test('what a crash left of a replacement does not stop the next one', async () => {
  const dir = scratchDir()
  writeFileSync(join(dir, 'a'), 'old')
  writeFileSync(join(dir, 'a.tmp'), 'half of it')
  await replaceFile(join(dir, 'a'), 'new')
  expect(readFileSync(join(dir, 'a'), 'utf8')).toBe('new')
  expect(readdirSync(dir)).toEqual(['a'])
})

test('a replacement that cannot get its name leaves no temporary file', async () => {
  const dir = scratchDir()
  mkdirSync(join(dir, 'a', 'full'), { recursive: true })
  await expect(replaceFile(join(dir, 'a'), 'new')).rejects.toSatisfy((error) => isErrno(error, 'EISDIR', 'ENOTEMPTY'))
  expect(readdirSync(dir)).toEqual(['a'])
  await expect(moveOver(join(dir, 'gone'), join(dir, 'b'))).rejects.toSatisfy(code('ENOENT'))
})

test('a file is removed once; a folder is not a file', async () => {
  const dir = scratchDir()
  writeFileSync(join(dir, 'a'), '')
  expect(await removeFile(join(dir, 'a'))).toBe(true)
  expect(await removeFile(join(dir, 'a'))).toBe(false)
  mkdirSync(join(dir, 'b'))
  await expect(removeFile(join(dir, 'b'))).rejects.toSatisfy((error) => isErrno(error, 'EISDIR', 'EPERM'))
  expect(existsSync(join(dir, 'b'))).toBe(true)
})

test('folders are made with all their parents, and made again without complaint', async () => {
  const path = join(scratchDir(), 'a', 'b', 'c')
  await makeDir(path, 0o700)
  await makeDir(path)
  expect(statSync(path).mode & 0o777).toBe(0o700)
  expect(statSync(join(path, '..')).isDirectory()).toBe(true)
})

test('a folder below a file cannot be made', async () => {
  const dir = scratchDir()
  writeFileSync(join(dir, 'a'), '')
  await expect(makeDir(join(dir, 'a', 'b'))).rejects.toSatisfy((error) => isErrno(error, 'ENOTDIR', 'EEXIST'))
})

test('only folders are synced as folders', async () => {
  const dir = scratchDir()
  await syncDir(dir)
  writeFileSync(join(dir, 'a'), '')
  await expect(syncDir(join(dir, 'a'))).rejects.toSatisfy(code('ENOTDIR'))
})

test('a folder that a file system has no room for is an error at once, not a wait for ever', async () => {
  await expect(makeDir('/proc/no-such-folder/below')).rejects.toMatchObject({ code: 'ENOENT' })
})
