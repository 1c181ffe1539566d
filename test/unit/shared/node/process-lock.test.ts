import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { holderIn, lockHolder } from '@cis490/shared/node/lock-holder.ts'
import { takeLock } from '@cis490/shared/node/process-lock.ts'
import { expect, onTestFinished, test } from 'vitest'
import { scratchDir } from '../../../support/scratch.ts'
import { fillUp, testOnTinyDisk, tinyDisk } from '../../../support/tiny-disk.ts'

const module = new URL('../../../../packages/shared/src/node/process-lock.ts', import.meta.url).pathname

/** Another process that holds the lock until it is killed. */
async function holder(path: string) {
  const code = `import { takeLock } from ${JSON.stringify(module)}; const lock = takeLock(${JSON.stringify(path)}); console.log(lock ? 'held' : 'refused'); setInterval(() => lock, 1000)`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, said: said.toString().trim() }
}

test('while another process holds the lock it cannot be had, and when that one is killed it can', async () => {
  const path = join(scratchDir(), 'lock')
  const { child, said } = await holder(path)
  expect(said).toBe('held')
  expect(takeLock(path)).toBeUndefined()
  child.kill('SIGKILL')
  await once(child, 'exit')
  using lock = takeLock(path)
  expect(lock?.path).toBe(path)
})

test('another process is refused while this one holds the lock, and gets it afterwards', async () => {
  const path = join(scratchDir(), 'lock')
  const lock = takeLock(path)
  expect((await holder(path)).said).toBe('refused')
  lock?.[Symbol.dispose]()
  expect((await holder(path)).said).toBe('held')
})

test('a lock cannot be taken twice in one process either', () => {
  const path = join(scratchDir(), 'lock')
  using first = takeLock(path)
  expect([first !== undefined, takeLock(path)]).toEqual([true, undefined])
})

test('where no lock file can be, that is an error and not a lock that somebody holds', () => {
  const dir = scratchDir()
  expect(() => takeLock(join(dir, 'no-folder', 'lock'))).toThrow()
  writeFileSync(join(dir, 'lock'), 'some text that is no lock file, and longer than a header'.repeat(20))
  expect(() => takeLock(join(dir, 'lock'))).toThrow()
})

testOnTinyDisk('the lock is taken on a full disk, by one only', () => {
  const root = tinyDisk(2)
  const path = join(root, 'agent.lock')
  takeLock(path)?.[Symbol.dispose]()
  fillUp(root)
  using lock = takeLock(path)
  expect(lock).toBeDefined()
  expect(takeLock(path)).toBeUndefined()
})

test('the kernel tells who holds a lock, without anybody taking it', () => {
  const path = join(scratchDir(), 'held.lock')
  expect(holderIn('', 7)).toBe(null)
  expect(holderIn('1: POSIX  ADVISORY  WRITE 42 fe:00:7 1073741824 1073742335\n', 7)).toBe(42)
  expect(holderIn('1: POSIX  ADVISORY  READ 42 fe:00:7 0 0\n', 7)).toBe(null)
  const lock = takeLock(path)
  expect([process.pid, undefined]).toContain(lockHolder(path))
  lock?.[Symbol.dispose]()
  expect([null, undefined]).toContain(lockHolder(path))
})
