/** The daemon's two loops, turn by turn. A turn that fails is told, and the next one comes all the same, after a pause. */
import { timestamp } from '@cis490/shared/ids.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { App } from '../app.ts'
import { holdAfterFault, isHeld } from '../core/backoff.ts'
import { nextTurn } from '../core/pass-plan.ts'
import { gateAsker } from './ask-gate.ts'
import type { AgentContext } from './context.ts'
import { scan } from './scan-episodes.ts'
import { settleBrought } from './settle-carried.ts'
import { shipPass } from './ship-pass.ts'
import type { Wake } from './wake.ts'

/** @param packed called when there is something new to ship */
export async function scanLoop(
  context: AgentContext,
  app: App,
  signal: AbortSignal,
  wake: Wake,
  packed: () => void,
): Promise<void> {
  while (!signal.aborted) {
    if (await scanTurn(context, app, signal)) packed()
    await untilNextScan(context.config.ship.rescan, app, signal, wake)
  }
}

const lookAgainMs = 1000

/** What a pause holds back is packed within seconds after its end. */
async function untilNextScan(ms: number, { manners }: Pick<App, 'manners'>, signal: AbortSignal, wake: Wake): Promise<void> {
  if (manners.mayPack().go !== 'wait') return await wake.sleep(ms)
  for (let left = ms; left > 0 && !signal.aborted && manners.mayPack().go === 'wait'; left -= lookAgainMs)
    await wake.sleep(Math.min(left, lookAgainMs))
}

/** @returns whether something was packed */
export async function scanTurn(context: AgentContext, app: App, signal: AbortSignal): Promise<boolean> {
  // Here too: shipping may be paused, outside its window, or busy for hours.
  await settleBrought(context, app.shipping.pins)
  try {
    const result = await scan(context, {
      gateAllows: gateAsker(app.shipping, signal),
      mayPack: () => app.manners.mayPack(),
      breathe: () => app.manners.whenCalm(signal),
      onRecording: () => {
        app.activity.recording = true
      },
      signal,
    })
    app.activity.recording = result.unfinished.some((one) => one.state === 'recording')
    app.activity.stuck = result.unfinished.length - result.unfinished.filter((one) => one.state === 'recording').length
    return result.packed.length > 0
  } catch (error) {
    if (!signal.aborted) context.log.error({ event: 'scan-failed', cause: messageOf(error) }, 'could not scan the episodes')
    return false
  }
}

export async function shipLoop(context: AgentContext, app: App, signal: AbortSignal, wake: Wake): Promise<void> {
  while (!signal.aborted) await wake.sleep((await shipTurn(context, app, signal)) - app.shipping.now())
}

/** @returns when the next turn is due, epoch milliseconds */
export async function shipTurn(context: AgentContext, app: App, signal: AbortSignal): Promise<number> {
  const { memory, now, random } = app.shipping
  // Whoever mended the certificate need not tell us: the probe goes out with the files of now.
  if (memory.hold.code.startsWith('certificate-') && !isHeld(memory.hold, now())) reload(app, context)
  await settleBrought(context, app.shipping.pins)
  await app.manners.whenAllowed(signal)
  try {
    await shipPass(app.shipping, 'due', signal)
  } catch (error) {
    context.log.error({ event: 'ship-failed', cause: messageOf(error) }, 'could not ship')
    memory.hold = holdAfterFault(memory.hold, 'internal', now(), random())
  }
  const entries = await context.outbox.entries().catch(() => [])
  return nextTurn(entries, memory.hold, now(), now() + context.config.ship.rescan)
}

/** Takes up the files of now, and lets a probe go out with them. @returns false where the old ones stay */
export function reload(app: App, { log }: AgentContext): boolean {
  const { memory, now } = app.shipping
  // Once for each refusal: nothing may be left to ship that would bring another answer.
  memory.hold = { ...memory.hold, code: '' }
  try {
    app.reload()
    memory.hold = { ...memory.hold, until: 0 }
    log.info({ event: 'reloaded', at: timestamp(now()) }, 'read certificate, key and token anew')
    return true
  } catch (error) {
    log.error({ event: 'reload-failed', cause: messageOf(error) }, 'kept the old certificate: the new one cannot be used')
    return false
  }
}
