/** Syncs of this process that hang until the test lets them go: a slow disk, or one that fails. */
import { type FileHandle, open, readlink } from 'node:fs/promises'
import { BodyFile } from '../../packages/receiver/src/store/body-file.ts'

type Syncing = Pick<FileHandle, 'fd' | 'sync' | 'datasync'>

export interface HeldSync extends Disposable {
  /** Resolves when the first sync hangs. */
  readonly hangs: Promise<void>
  /** All of them go on, or fail with the error. */
  release(error?: Error): void
}

/** @param path which files and folders; all others are synced as always */
export async function holdSync(path: RegExp): Promise<HeldSync> {
  await using probe = await open('/proc/self/exe', 'r')
  const prototypes: Syncing[] = [Object.getPrototypeOf(probe), BodyFile.prototype]
  const hanging = Promise.withResolvers<void>()
  const going = Promise.withResolvers<Error | undefined>()
  const held = (real: () => Promise<void>) =>
    async function (this: Syncing): Promise<void> {
      if (path.test(await readlink(`/proc/self/fd/${this.fd}`))) {
        hanging.resolve()
        const error = await going.promise
        if (error) throw error
      }
      await real.call(this)
    }
  const restores = prototypes.map((prototype) => {
    const { sync, datasync } = prototype
    Object.assign(prototype, { sync: held(sync), datasync: held(datasync) })
    return () => Object.assign(prototype, { sync, datasync })
  })
  const release = (error?: Error) => going.resolve(error)
  return {
    hangs: hanging.promise,
    release,
    [Symbol.dispose]: () => {
      for (const restore of restores) restore()
      release()
    },
  }
}
