/** What a run needs: scratch folder, the library, lanes, and disks for power cuts; all gone at its end. */
import { rmSync } from 'node:fs'
import { buildShim, type LabOptions, Lane, makeScratch, prepareTemplate } from './lab.ts'
import { type FileSystem, LoopDisk } from './loop-disk.ts'
import { type Prepared, rehearse } from './plan.ts'
import { loadScenario } from './scenarios.ts'

export interface Bench extends AsyncDisposable {
  readonly options: LabOptions
  readonly lanes: readonly Lane[]
}

/** @param makeRoot gives other sources than those of this checkout */
export async function makeBench(jobs: number, makeRoot?: (folder: string) => string): Promise<Bench> {
  const folder = makeScratch()
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  try {
    const options: LabOptions = { shim: await buildShim(folder), folder, root: makeRoot?.(folder) }
    const lanes = Array.from({ length: jobs }, () => new Lane(options))
    return {
      options,
      lanes,
      [Symbol.asyncDispose]: async () => {
        for (const lane of lanes) await lane[Symbol.asyncDispose]()
        remove()
        process.off('exit', remove)
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}

export async function prepareAll(bench: Bench, names: readonly string[]): Promise<Prepared[]> {
  const prepared: Prepared[] = []
  for (const name of names) {
    const scenario = await loadScenario(name)
    prepared.push(await rehearse(bench.lanes[0] as Lane, scenario, await prepareTemplate(bench.options, scenario)))
  }
  return prepared
}

/** As many lanes, each on a mounted file system of its own. */
export async function withDisks<T>(bench: Bench, kind: FileSystem, use: (lanes: readonly Lane[]) => Promise<T>): Promise<T> {
  await using stack = new AsyncDisposableStack()
  const lanes = bench.lanes.map((_, k) => {
    const disk = stack.use(new LoopDisk(kind, bench.options.folder, `${kind}-${k}`))
    return stack.use(new Lane(bench.options, disk))
  })
  return await use(lanes)
}
