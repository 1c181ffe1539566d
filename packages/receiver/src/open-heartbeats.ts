/** Heartbeats wired up: what hears them, keeps them and knows what is asked of a host. */
import type { Logger } from '@cis490/shared/node/log.ts'
import { directivesFor } from './core/directives.ts'
import { RulesFile } from './forge/rules-files.ts'
import type { HeartbeatPorts } from './routes/heartbeat.ts'
import { HeartbeatLog } from './store/heartbeat-log.ts'
import type { StoreLayout } from './store/layout.ts'

export type Heartbeats = Omit<HeartbeatPorts, 'limits'> & AsyncDisposable

/** @param counted called for each heartbeat. @throws ConfigError for a directives file that cannot be used */
export async function openHeartbeats(
  layout: StoreLayout,
  directivesFile: string,
  log: Logger,
  counted: () => void,
): Promise<Heartbeats> {
  const directives = RulesFile.directives(directivesFile, log)
  const heard = await HeartbeatLog.open(layout.heartbeats, log)
  return {
    note: (row) => {
      counted()
      heard.add(row)
    },
    directives: (host, now) => directivesFor(directives.current(), host, now),
    [Symbol.asyncDispose]: () => heard[Symbol.asyncDispose](),
  }
}
