/** A small recorder: real telemetry of this machine as episodes that the agent ships. See README.md. */
import { mkdir } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { parseDuration } from '@cis490/shared/duration.ts'
import { CommitSha, HostName } from '@cis490/shared/ids.ts'
import { exit, UserError } from '@cis490/shared/node/cli.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { z } from 'zod'
import { type Recording, recordEpisode } from './episode.ts'

const usage = 'record.ts --episodes DIR --seconds N --host NAME --commit SHA [--dirty] [--interval 100ms] [--loop]'

interface Settings extends Recording {
  readonly loop: boolean
}

function settingsOf(argv: readonly string[]): Settings {
  const { values } = parseArguments(argv)
  const seconds = Number(values.seconds)
  const intervalMs = parseDuration(values.interval)
  if (!values.episodes) throw new UserError(`--episodes is missing\nusage: ${usage}`, exit.usage)
  if (!(seconds > 0)) throw new UserError(`--seconds "${values.seconds}" is no number above 0`, exit.usage)
  if (!intervalMs) throw new UserError(`--interval "${values.interval}" is no duration; write it like 100ms`, exit.usage)
  return {
    episodes: values.episodes,
    host: word('--host', HostName, values.host),
    commit: word('--commit', CommitSha, values.commit),
    dirty: values.dirty,
    lengthMs: seconds * 1000,
    intervalMs,
    loop: values.loop,
  }
}

function parseArguments(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        episodes: { type: 'string' },
        seconds: { type: 'string', default: '10' },
        host: { type: 'string', default: '' },
        commit: { type: 'string', default: '' },
        dirty: { type: 'boolean', default: false },
        interval: { type: 'string', default: '100ms' },
        loop: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UserError(`${messageOf(error)}\nusage: ${usage}`, exit.usage)
  }
}

function word<T>(option: string, schema: z.ZodType<T>, text: string): T {
  const parsed = schema.safeParse(text)
  if (parsed.success) return parsed.data
  throw new UserError(`${option} "${text}": ${parsed.error.issues[0]?.message}\nusage: ${usage}`, exit.usage)
}

async function record(argv: readonly string[]): Promise<void> {
  const settings = settingsOf(argv)
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())
  await mkdir(settings.episodes, { recursive: true })
  do {
    const id = await recordEpisode(settings, stop.signal)
    process.stdout.write(`${JSON.stringify({ event: 'recorded', id })}\n`)
  } while (settings.loop && !stop.signal.aborted)
}

try {
  await record(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`recorder: ${messageOf(error)}\n`)
  process.exitCode = error instanceof UserError ? error.exitCode : exit.undetermined
}
