/** `npm start`: signals, the end, and the exit code of the demo. */
import { setTimeout as sleep } from 'node:timers/promises'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { Children } from '../local-fleet/children.ts'
import { type DemoOptions, help, parseOptions } from './options.ts'
import { makePlace } from './place.ts'
import { say } from './say.ts'
import { tellStory } from './story.ts'

async function demo(options: DemoOptions): Promise<number> {
  // From here on a signal is the way to end it; npm may pass it on a second time.
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
  const stopped = new Promise<'stopped'>((resolve) => stop.signal.addEventListener('abort', () => resolve('stopped')))

  const place = await makePlace(options.dir)
  const children = new Children(place.logs)
  const told = tellStory(place.dir, children, options, stop.signal).then(
    () => undefined,
    (error: unknown) => ({ error }),
  )
  const failure = await Promise.race([told, stopped])
  await children.stop()
  // A step that was interrupted may still be writing; one that waits for something is not waited for.
  await Promise.race([told, sleep(200)])

  if (failure === 'stopped') say.line('\nStopped.')
  else if (failure) say.failed(messageOf(failure.error))
  say.line(await place.end(options.clean && typeof failure !== 'object'))
  return typeof failure === 'object' ? exit.findings : exit.clean
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) process.stdout.write(help)
  else process.exitCode = await demo(options)
} catch (error) {
  process.stderr.write(`demo: ${messageOf(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : exit.undetermined
}
// What a signal has interrupted may still wait for something.
process.exit()
