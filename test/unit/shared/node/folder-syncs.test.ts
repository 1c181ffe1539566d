import { mkdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { FolderSyncs } from '@cis490/shared/node/folder-syncs.ts'
import { expect, test } from 'vitest'
import { scratchDir } from '../../../support/scratch.ts'

interface Counted extends Disposable {
  readonly begun: number
  /** Resolves when sync number `n` (from 1) hangs. */
  hangs(n: number): Promise<void>
  /** Lets sync number `n` end, or fail. */
  end(n: number, error?: Error): void
}

/** Every sync of this process hangs until the test ends it. */
async function countSyncs(): Promise<Counted> {
  await using probe = await open('/proc/self/exe', 'r')
  const prototype = Object.getPrototypeOf(probe) as { sync(): Promise<void> }
  const { sync } = prototype
  const gates: { hangs: PromiseWithResolvers<void>; ended: PromiseWithResolvers<Error | undefined> }[] = []
  const gate = (n: number) => (gates[n] ??= { hangs: Promise.withResolvers(), ended: Promise.withResolvers() })
  let begun = 0
  prototype.sync = async function (this: unknown) {
    begun += 1
    const mine = gate(begun)
    mine.hangs.resolve()
    const error = await mine.ended.promise
    if (error) throw error
    await sync.call(this)
  }
  return {
    get begun() {
      return begun
    },
    hangs: (n) => gate(n).hangs.promise,
    end: (n, error) => gate(n).ended.resolve(error),
    [Symbol.dispose]: () => {
      prototype.sync = sync
    },
  }
}

/** Whether a promise has ended by now, once everything that can go on has gone on. */
async function ended(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  const done = () => {
    over = true
  }
  promise.then(done, done)
  await new Promise((resolve) => setImmediate(resolve))
  return over
}

test('a sync that runs already is not believed by who comes later; all who come later share the next one', async () => {
  using syncs = await countSyncs()
  await using folders = new FolderSyncs(1)
  const path = scratchDir()
  const first = folders.sync(path)
  await syncs.hangs(1)
  const later = [folders.sync(path), folders.sync(path), folders.sync(path)]
  syncs.end(1)
  await first
  await syncs.hangs(2)
  expect(await Promise.all(later.map(ended))).toEqual([false, false, false])
  syncs.end(2)
  await Promise.all(later)
  expect(syncs.begun).toBe(2)
})

test('who asks at the same moment shares one sync, and folders do not wait for each other', async () => {
  using syncs = await countSyncs()
  await using folders = new FolderSyncs()
  const [one, other] = [scratchDir(), scratchDir()]
  const asked = [folders.sync(one), folders.sync(one), folders.sync(other)]
  await Promise.all([syncs.hangs(1), syncs.hangs(2)])
  syncs.end(1)
  syncs.end(2)
  await Promise.all(asked)
  expect(syncs.begun).toBe(2)
})

test('after a failed sync all who are in line fail with it, and none of theirs is tried', async () => {
  using syncs = await countSyncs()
  await using folders = new FolderSyncs(4)
  const path = scratchDir()
  const first = folders.sync(path)
  await syncs.hangs(1)
  const second = folders.sync(path)
  const both = Promise.allSettled([first, second])
  syncs.end(1, new Error('the disk is broken'))
  expect(await both).toMatchObject([{ reason: { message: 'the disk is broken' } }, { reason: { message: 'the disk is broken' } }])
  expect(syncs.begun).toBe(1)
  // Who comes afterwards asks the disk again, over a handle of his own.
  const third = folders.sync(path)
  await syncs.hangs(2)
  syncs.end(2)
  await third
})

test('a folder that cannot be closed after a failed sync does not hide what the sync said', async () => {
  await using probe = await open('/proc/self/exe', 'r')
  const prototype = Object.getPrototypeOf(probe) as { sync(): Promise<void> }
  const { sync } = prototype
  const refused: (() => Promise<void>)[] = []
  prototype.sync = function (this: { close(): Promise<void> }) {
    const { close } = this
    this.close = () => {
      refused.push(() => close.call(this))
      return Promise.reject(new Error('no close'))
    }
    return Promise.reject(new Error('the disk is broken'))
  }
  try {
    await using folders = new FolderSyncs(4)
    await expect(folders.sync(scratchDir())).rejects.toThrow(/^the disk is broken$/)
    expect(refused).toHaveLength(1)
  } finally {
    prototype.sync = sync
    for (const close of refused) await close()
  }
})

test('a folder that is not there is told, and found once it is', async () => {
  await using folders = new FolderSyncs(4)
  const path = join(scratchDir(), 'shelf')
  await expect(folders.sync(path)).rejects.toThrow(/ENOENT/)
  mkdirSync(path)
  await folders.sync(path)
})

test('no more folders stay open than were asked for, those used last', async () => {
  using syncs = await countSyncs()
  await using folders = new FolderSyncs(2)
  const paths = [1, 2, 3].map(() => scratchDir())
  for (const [k, path] of paths.entries()) {
    syncs.end(k + 1)
    await folders.sync(path)
  }
  for (const path of paths) rmSync(path, { recursive: true })
  // An open handle still syncs; a closed one has to find the name again.
  syncs.end(4)
  syncs.end(5)
  await folders.sync(paths[2] as string)
  await folders.sync(paths[1] as string)
  await expect(folders.sync(paths[0] as string)).rejects.toThrow(/ENOENT/)
})
