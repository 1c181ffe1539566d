/** `cis490-agent run`: the daemon. Four loops: packing and shipping, which wake each other, the heartbeat and the certificate; each ends at the signal. */
import { build } from '@cis490/shared/node/build.ts'
import { addCommand, exit } from '@cis490/shared/node/cli.ts'
import { makeLogger } from '@cis490/shared/node/log.ts'
import { Presence } from '@cis490/shared/node/presence.ts'
import { takeServiceManager } from '@cis490/shared/node/service-manager.ts'
import type { Command } from 'commander'
import { makeApp } from '../app.ts'
import { defaultConfigFile } from '../config.ts'
import { certificateLoop } from './certificate-loop.ts'
import { type AgentContext, action, type CommandOptions, openOutbox, readConfig, takeAgentLock } from './context.ts'
import { heartbeatLoop } from './heartbeat.ts'
import { lookAtSelf } from './look-at-self.ts'
import { reload, scanLoop, shipLoop } from './loops.ts'
import { endOnSignal } from './signals.ts'
import { Wake } from './wake.ts'
import { watchEpisodes } from './watch.ts'

export function registerRun(program: Command): void {
  addCommand(program, 'run', 'the daemon: pack and ship episodes as they are finished', defaultConfigFile).action(action(run))
}

async function run(options: CommandOptions): Promise<number> {
  const config = readConfig(options)
  const log = makeLogger(process.stdout)
  const manager = takeServiceManager(log)
  using ending = endOnSignal()
  await using stack = new AsyncDisposableStack()
  stack.use(await takeAgentLock(config, 'daemon'))
  const context: AgentContext = { config, ...(await openOutbox(config, log, stack)), log, now: Date.now }
  const app = stack.use(makeApp(context, process.stdout, () => undefined))
  warnOfCopies(context)
  const scanWake = new Wake(ending.signal)
  const shipWake = new Wake(ending.signal)
  stack.use(watchEpisodes(config.paths.episodes, log, () => scanWake.ring()))
  stack.use(
    onHangup(() => {
      if (reload(app, context)) shipWake.ring()
    }),
  )
  const presence = stack.use(new Presence(manager, () => lookAtSelf(context, app), log))
  ending.signal.addEventListener('abort', () => void presence.stop())
  log.info({ event: 'up', host: app.shipping.client().host, version: build.version, commit: build.commit }, 'agent is up')
  const looked = Promise.withResolvers<void>()
  await Promise.all([
    scanLoop(context, app, ending.signal, scanWake, () => shipWake.ring()),
    looked.promise.then(() => shipLoop(context, app, ending.signal, shipWake)),
    heartbeatLoop(context, app, ending.signal),
    certificateLoop(context, app, ending.signal, { renewed: () => shipWake.ring(), looked: looked.resolve }),
    presence.begin(),
  ])
  log.info({ event: 'down' }, 'agent is down')
  return exit.clean
}

/** Second copies alone could stop packing for good. */
function warnOfCopies({ config: { ship, quota }, log }: AgentContext): void {
  if (quota.bytes === 0 || quota.policy !== 'stop-packing' || ship.keep_shipped < quota.bytes) return
  const remedy = 'lower ship.keep_shipped, or set quota.policy = "drop-oldest-delivered"'
  log.warn({ event: 'copies-fill-quota', remedy }, 'second copies may fill the quota, and then nothing is packed any more')
}

function onHangup(handle: () => void): Disposable {
  process.on('SIGHUP', handle)
  return { [Symbol.dispose]: () => void process.off('SIGHUP', handle) }
}
