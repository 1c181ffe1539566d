/** The one folder in which everything of a demo lies. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeDir } from '@cis490/shared/node/durable.ts'

export interface Place {
  readonly dir: string
  readonly logs: string
  /** @returns what was done with the folder, for a person */
  end(clean: boolean): Promise<string>
}

export async function makePlace(wanted: string | undefined): Promise<Place> {
  const dir = wanted ?? (await mkdtemp(join(tmpdir(), 'cis490-demo-')))
  await makeDir(dir)
  const ours = (await readdir(dir)).length === 0
  const logs = join(dir, 'logs')
  await makeDir(logs)
  return {
    dir,
    logs,
    async end(clean) {
      if (!clean) return `Everything is kept in ${dir}`
      if (!ours) return `${dir} was not empty before the demo, so it stays`
      await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
      return `${dir} is removed`
    },
  }
}
