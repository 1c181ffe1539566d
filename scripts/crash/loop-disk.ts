/** A small file system in a file, mounted for one lane, whose power can be cut: the shim shuts it down, `cycle` mounts it again. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '@cis490/shared/node/errno.ts'

export type FileSystem = 'ext4' | 'xfs'

/** mkfs.xfs makes none below 300 MB; both are sparse. */
const kinds = {
  ext4: { bytes: 64 << 20, make: ['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0'], options: 'loop,commit=3600' },
  xfs: { bytes: 320 << 20, make: ['mkfs.xfs', '-q', '-f'], options: 'loop' },
} as const

export class LoopDisk implements Disposable {
  readonly kind: FileSystem
  readonly mountPoint: string
  readonly #image: string
  #mounted = false

  /** @throws where this user may not mount, or a program is missing */
  constructor(kind: FileSystem, folder: string, name: string) {
    this.kind = kind
    this.#image = join(folder, `${name}.img`)
    this.mountPoint = join(folder, name)
    mkdirSync(this.mountPoint)
    writeFileSync(this.#image, '')
    truncateSync(this.#image, kinds[kind].bytes)
    const [program, ...args] = kinds[kind].make
    run(program, ...args, this.#image)
    this.#mount()
    // Before anything that takes the folder away.
    process.prependListener('exit', this.#unmount)
  }

  /** Everything so far is on the disk; what comes now is what the cut may take. */
  settle(): void {
    run('sync', '-f', this.mountPoint)
  }

  /** After the cut: mounts anew, which plays the journal. */
  cycle(): void {
    run('umount', this.mountPoint)
    this.#mounted = false
    this.#mount()
  }

  #mount(): void {
    run('mount', '-o', kinds[this.kind].options, this.#image, this.mountPoint)
    this.#mounted = true
  }

  readonly #unmount = (): void => {
    if (this.#mounted) run('umount', '-l', this.mountPoint)
    this.#mounted = false
  };

  [Symbol.dispose](): void {
    this.#unmount()
    process.off('exit', this.#unmount)
    rmSync(this.#image, { force: true })
  }
}

/** @returns why there can be no power cuts here, or undefined */
export function whyNoPowerCuts(kind: FileSystem, folder: string): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting needs root'
  try {
    using disk = new LoopDisk(kind, folder, `probe-${kind}`)
    disk.cycle()
    return undefined
  } catch (error) {
    return messageOf(error).split('\n')[0]
  }
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
