/** The daemon's heartbeat: says that this host is alive and what waits here, and takes up what the receiver asks. Never holds shipping up. */
import { readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Directives, type Heartbeat } from '@cis490/shared/heartbeat.ts'
import { timestamp } from '@cis490/shared/ids.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import { build } from '@cis490/shared/node/build.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { App } from '../app.ts'
import type { Answer } from '../core/answer.ts'
import { nextBeatMs } from '../core/directives.ts'
import { freeBytes } from '../episodes/usage.ts'
import { readLastBeat, writeLastBeat } from '../ship/heartbeat-file.ts'
import type { AgentContext } from './context.ts'
import { Wake } from './wake.ts'

/** Milliseconds; the next one is more use than a late one. */
const patience = 10_000

export async function heartbeatLoop(context: AgentContext, app: App, signal: AbortSignal): Promise<void> {
  const wake = new Wake(signal)
  let outcome = 'heard'
  while (!signal.aborted) {
    const before = outcome
    outcome = await beat(context, app, signal).catch((error: unknown) => messageOf(error))
    if (signal.aborted) return
    if (outcome !== before) tell(context, outcome)
    await wake.sleep(nextBeatMs(context.config.heartbeat.every, app.shipping.random()))
  }
}

/** Once for each outcome. Shipping tells of faults of the way by itself. */
function tell({ log }: AgentContext, outcome: string): void {
  if (outcome === 'heard') log.info({ event: 'heartbeat-heard' }, 'the receiver hears the heartbeats')
  else log.warn({ event: 'heartbeat-unheard', code: outcome }, 'the receiver does not hear the heartbeats; shipping goes on')
}

/** One heartbeat. @returns `heard`, or the code of what came instead */
export async function beat(context: AgentContext, app: App, signal: AbortSignal): Promise<string> {
  const { config, now } = context
  const said = JSON.stringify(await sayHeartbeat(context, app))
  // Only now: the one of before may have been replaced meanwhile.
  const client = app.shipping.client()
  const answer = await client.heartbeat(said, AbortSignal.any([signal, AbortSignal.timeout(patience)]))
  const outcome = outcomeOf(answer)
  const asked = outcome === 'heard' ? directivesOf(answer) : undefined
  if (asked) app.directives.take(asked)
  const at = timestamp(now())
  const { certNotAfter } = client
  const present = { at, outcome, cert_not_after: certNotAfter }
  const last = asked ? { ...present, heard_at: at, directives: asked } : { ...readLastBeat(config.paths.state), ...present }
  // On a full disk `status` knows less, that is all.
  await writeLastBeat(config.paths.state, last).catch(() => undefined)
  return outcome
}

/** What this host says of itself; what cannot be found out is left out. */
export async function sayHeartbeat({ outbox, config, now }: AgentContext, { shipping, activity }: App): Promise<Heartbeat> {
  const entries = await outbox.entries()
  const of = (lane: string) => entries.filter((entry) => entry.lane === lane).length
  const times = await Promise.all(
    entries.map(({ id }) =>
      stat(outbox.archivePath(id)).then(
        (file) => file.mtimeMs,
        () => Number.POSITIVE_INFINITY,
      ),
    ),
  )
  const oldest = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  return {
    at: timestamp(now()),
    boot_id: bootId,
    outbox: {
      ready: of('ready'),
      gated: of('gated'),
      quarantined: of('quarantine'),
      bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0),
      oldest_age_s: Number.isFinite(oldest) ? Math.max(0, Math.round((now() - oldest) / 1000)) : null,
    },
    episodes: { last_finished_at: outbox.lastPackedAt ?? null, stuck: activity.stuck },
    disk_free_bytes: await freeBytes(config.paths.outbox).catch(() => null),
    commit: build.commit,
    cert_not_after: shipping.client().certNotAfter ?? null,
    agent_version: build.version,
    wave: config.update.wave,
  }
}

function outcomeOf(answer: Answer): string {
  if (answer.kind === 'fault') return answer.code
  if (answer.status === 204) return 'heard'
  if (answer.status === 200) return directivesOf(answer) ? 'heard' : 'not-understood'
  return answer.problem?.code ?? `status-${answer.status}`
}

/** @returns an empty set for a 204, undefined for what is no answer to a heartbeat */
function directivesOf(answer: Answer): Directives | undefined {
  if (answer.kind === 'fault') return undefined
  return answer.status === 204 ? {} : Directives.safeParse(parseObject(answer.body)).data
}

const bootId = readBootId()

function readBootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().slice(0, 64)
  } catch {
    return null
  }
}
