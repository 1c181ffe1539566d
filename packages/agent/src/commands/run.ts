/** `cis490-agent run`: the daemon. Two loops, packing and shipping, that wake each other; each ends at the signal. */
import { timestamp } from '@cis490/shared/ids.ts'
import { build } from '@cis490/shared/node/build.ts'
import { addCommand, exit } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { makeLogger } from '@cis490/shared/node/log.ts'
import type { Command } from 'commander'
import { type App, makeApp } from '../app.ts'
import { defaultConfigFile } from '../config.ts'
import { isHeld } from '../core/backoff.ts'
import { nextTurn } from '../core/pass-plan.ts'
import { gateAsker } from './ask-gate.ts'
import { type AgentContext, action, type CommandOptions, openOutbox, readConfig, takeAgentLock } from './context.ts'
import { scan } from './scan-episodes.ts'
import { settleCarried } from './settle-carried.ts'
import { shipPass } from './ship-pass.ts'
import { endOnSignal } from './signals.ts'
import { Wake } from './wake.ts'
import { watchEpisodes } from './watch.ts'

export function registerRun(program: Command): void {
  addCommand(program, 'run', 'the daemon: pack and ship episodes as they are finished', defaultConfigFile).action(action(run))
}

async function run(options: CommandOptions): Promise<number> {
  const config = readConfig(options)
  const log = makeLogger(process.stdout)
  using ending = endOnSignal()
  await using stack = new AsyncDisposableStack()
  stack.use(await takeAgentLock(config))
  const context: AgentContext = { config, ...(await openOutbox(config, log, stack)), log, now: Date.now }
  const app = stack.use(makeApp(context, process.stdout, () => undefined))
  warnOfCopies(context)
  const scanWake = new Wake(ending.signal)
  const shipWake = new Wake(ending.signal)
  stack.use(watchEpisodes(config.paths.episodes, log, () => scanWake.ring()))
  stack.use(onHangup(() => reload(app, context, shipWake)))
  log.info({ event: 'up', host: app.shipping.client().host, version: build.version, commit: build.commit }, 'agent is up')
  await Promise.all([
    scanLoop(context, app, ending.signal, scanWake, () => shipWake.ring()),
    shipLoop(context, app, ending.signal, shipWake),
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

async function scanLoop(context: AgentContext, app: App, signal: AbortSignal, wake: Wake, packed: () => void): Promise<void> {
  while (!signal.aborted) {
    try {
      const result = await scan(context, {
        gateAllows: gateAsker(app.shipping, signal),
        mayPack: () => app.manners.mayPack(),
        breathe: () => app.manners.whenCalm(signal),
        signal,
      })
      app.activity.recording = result.unfinished.some((one) => one.state === 'recording')
      if (result.packed.length > 0) packed()
    } catch (error) {
      if (!signal.aborted) context.log.error({ event: 'scan-failed', cause: messageOf(error) }, 'could not scan the episodes')
    }
    await wake.sleep(context.config.ship.rescan)
  }
}

async function shipLoop(context: AgentContext, app: App, signal: AbortSignal, wake: Wake): Promise<void> {
  const { memory, now } = app.shipping
  while (!signal.aborted) {
    // Whoever mended the certificate need not tell us: the probe goes out with the files of now.
    if (memory.hold.code.startsWith('certificate-') && !isHeld(memory.hold, now())) reload(app, context, wake)
    try {
      await settleCarried(context, app.shipping.pins)
    } catch (error) {
      context.log.error({ event: 'settle-failed', cause: messageOf(error) }, 'could not settle what a stick brought')
    }
    await app.manners.whenAllowed(signal)
    try {
      await shipPass(app.shipping, 'due', signal)
    } catch (error) {
      context.log.error({ event: 'ship-failed', cause: messageOf(error) }, 'could not ship')
      memory.hold = { until: now() + context.config.ship.rescan, failures: memory.hold.failures + 1, code: 'internal' }
    }
    const entries = await context.outbox.entries().catch(() => [])
    await wake.sleep(nextTurn(entries, memory.hold, now(), now() + context.config.ship.rescan) - now())
  }
}

function reload(app: App, { log }: AgentContext, wake: Wake): void {
  try {
    app.reload()
    app.shipping.memory.hold = { ...app.shipping.memory.hold, until: 0 }
    log.info({ event: 'reloaded', at: timestamp(app.shipping.now()) }, 'read certificate, key and token anew')
    wake.ring()
  } catch (error) {
    log.error({ event: 'reload-failed', cause: messageOf(error) }, 'kept the old certificate: the new one cannot be used')
  }
}

function onHangup(handle: () => void): Disposable {
  process.on('SIGHUP', handle)
  return { [Symbol.dispose]: () => void process.off('SIGHUP', handle) }
}
