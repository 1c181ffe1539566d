/** Heartbeats wired up: what hears them, keeps them and knows what is asked of a host, updates included. */
import { join } from 'node:path'
import type { HostName } from '@cis490/shared/ids.ts'
import { directivesFor, holdFor } from './core/directives.ts'
import { RulesFile } from './forge/rules-files.ts'
import type { Metrics } from './http/metrics.ts'
import { openRollout, type Rollout, type RolloutOptions } from './open-rollout.ts'
import type { HeartbeatPorts } from './routes/heartbeat.ts'
import { HeartbeatLog } from './store/heartbeat-log.ts'
import type { StoreLayout } from './store/layout.ts'

export interface Heartbeats extends Omit<HeartbeatPorts, 'limits'>, AsyncDisposable {
  readonly rollout: Rollout
  /** Told of each report that was stored. */
  reported(host: HostName, report: Readonly<Record<string, unknown>>): void
}

export interface HeartbeatOptions extends Pick<RolloutOptions, 'soak' | 'share' | 'head' | 'log'> {
  readonly directivesFile: string
  readonly metrics: Pick<Metrics, 'heartbeats' | 'reports'>
}

/** @throws ConfigError for a directives file that cannot be used */
export async function openHeartbeats(layout: StoreLayout, options: HeartbeatOptions): Promise<Heartbeats> {
  const { log, metrics } = options
  await using stack = new AsyncDisposableStack()
  const directives = RulesFile.directives(options.directivesFile, log)
  const heard = stack.use(await HeartbeatLog.open(layout.heartbeats, log))
  const rollout = stack.use(
    await openRollout({
      ...options,
      path: join(layout.root, 'rollout.json'),
      reportOf: (host) => layout.report(host),
      holdFor: (host, now) => holdFor(directives.current(), host, now),
    }),
  )
  const owned = stack.move()
  return {
    rollout,
    reported: (host, report) => {
      metrics.reports.inc()
      rollout.reported(host, report, Date.now())
    },
    note: (row, now) => {
      metrics.heartbeats.inc()
      heard.add(row)
      rollout.heard(row, now)
    },
    directives: (row, now) => {
      const update = rollout.answer(row.host, row, now)
      const asked = directivesFor(directives.current(), row.host, now)
      return update ? { ...asked, update } : asked
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  }
}
