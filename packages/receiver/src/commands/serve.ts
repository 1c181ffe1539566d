/** `cis490-receiver serve`: until SIGTERM or SIGINT, or until the store is in doubt. */
import { setFlagsFromString } from 'node:v8'
import { addCommand, type CommonOptions, exit } from '@cis490/shared/node/cli.ts'
import { loadConfig } from '@cis490/shared/node/config-file.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { makeLogger } from '@cis490/shared/node/log.ts'
import { Presence } from '@cis490/shared/node/presence.ts'
import { takeServiceManager } from '@cis490/shared/node/service-manager.ts'
import { statusWord } from '@cis490/shared/self-look.ts'
import type { Command } from 'commander'
import { startReceiver } from '../app.ts'
import { defaultConfigFile, ReceiverConfig } from '../config.ts'

export function registerServe(program: Command): void {
  addCommand(program, 'serve', 'take in episodes until told to stop', defaultConfigFile).action(serve)
}

async function serve(options: CommonOptions): Promise<void> {
  // V8 compiles to the full what was called 3000 times: with an episode a minute that takes two days, and 5 % more CPU for each until then.
  setFlagsFromString('--invocation-count-for-turbofan=600')
  const log = makeLogger(process.stdout, 'info', undefined, true)
  const config = loadConfig(options.config, ReceiverConfig)
  const manager = takeServiceManager(log)
  const asked = nextSignal()
  void manager?.tell(statusWord('looks through the store'))
  const receiver = await startReceiver(config, log)
  const presence = new Presence(manager, receiver.look, log)
  void presence.begin()
  const onHangup = () => {
    try {
      receiver.reload()
      log.info({ event: 'reloaded' }, 'certificates read again')
    } catch (error) {
      log.error({ reason: messageOf(error) }, 'cannot reload everything; what failed stays as it was')
    }
  }
  process.on('SIGHUP', onHangup)
  const reason = await Promise.race([asked, receiver.failed.then((error) => ({ error }))])
  if (typeof reason !== 'string') log.fatal({ err: reason.error }, 'the store is in doubt; a restart finds out what is there')
  else log.info({ event: 'stopping', signal: reason }, 'stopping')
  void presence.stop()
  // Ctrl-C is a person who waits; SIGTERM comes from a service manager with a load balancer that has to notice.
  await receiver.stop(reason === 'SIGTERM')
  await presence.stop()
  log.info({ event: 'stopped' }, 'stopped')
  process.exitCode = typeof reason === 'string' ? exit.clean : exit.undetermined
}

function nextSignal(): Promise<'SIGTERM' | 'SIGINT'> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'))
    process.once('SIGINT', () => resolve('SIGINT'))
  })
}
