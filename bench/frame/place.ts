/** A folder and the programs of one benchmark: both are gone afterwards, however it ends. */
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { UserError } from '@cis490/shared/node/cli.ts'
import { makeDir } from '@cis490/shared/node/durable.ts'
import { formatSize } from '@cis490/shared/size.ts'
import { Children } from '../../scripts/local-fleet/children.ts'

export class Place implements AsyncDisposable {
  readonly dir: string
  readonly children: Children
  readonly #stop = () => void this.children.stop()

  private constructor(dir: string) {
    this.dir = dir
    this.children = new Children(join(dir, 'logs'))
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, this.#stop)
  }

  /** @param need bytes that have to be free. @throws UserError that says what to do */
  static async make(need: number): Promise<Place> {
    const { bavail, bsize } = await statfs(tmpdir())
    if (bavail * bsize < need)
      throw new UserError(`${tmpdir()} has ${formatSize(bavail * bsize)} free, ${formatSize(need)} are needed; set TMPDIR`)
    const dir = await mkdtemp(join(tmpdir(), 'cis490-bench-'))
    await makeDir(join(dir, 'logs'))
    return new Place(dir)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.children.stop()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, this.#stop)
    // Only now: ext4 goes around freed inodes for half a minute, which would slow whoever creates files meanwhile.
    await rm(this.dir, { recursive: true, force: true })
  }
}
