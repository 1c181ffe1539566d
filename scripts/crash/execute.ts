/** Spreads tasks over lanes. */
import type { ProgressStream } from '@cis490/shared/node/progress.ts'
import { makeProgress } from '@cis490/shared/node/progress.ts'
import type { PointResult } from './forms.ts'
import type { Lane } from './lab.ts'
import type { Task } from './plan.ts'

export interface Execution {
  readonly label: string
  readonly stream?: ProgressStream | undefined
  /** Asked after each point. */
  readonly enough?: ((result: PointResult) => boolean) | undefined
}

/** @param report called for every point, in the order in which they end */
export async function execute(
  tasks: readonly Task[],
  lanes: readonly Lane[],
  report: (result: PointResult) => void,
  { label, stream, enough }: Execution,
): Promise<void> {
  const total = tasks.reduce((sum, task) => sum + task.points, 0)
  const progress = stream && total > 0 ? makeProgress({ label, total, stream, unit: 'count' }) : undefined
  const waiting = [...tasks]
  let done = 0
  let stop = false
  progress?.update(0)
  await Promise.all(
    lanes.map(async (lane) => {
      for (let task = waiting.shift(); task && !stop; task = waiting.shift()) {
        let points = 0
        await task.run(lane, (result) => {
          points += 1
          report(result)
          stop ||= enough?.(result) ?? false
          progress?.update(Math.min(total, done + Math.min(points, task?.points ?? 0)))
        })
        done += task.points
        progress?.update(Math.min(total, done))
      }
    }),
  )
  progress?.done()
}
