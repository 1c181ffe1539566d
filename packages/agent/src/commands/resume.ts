/** One archive by a resumable upload: walks the steps of core/resume-plan.ts until an answer decides about the entry. */
import { setTimeout as wait } from 'node:timers/promises'
import type { Answer } from '../core/answer.ts'
import { nextStep, type Patience, type Reason, type Step, stillPatient } from '../core/resume-plan.ts'
import type { Entry } from '../outbox/entry.ts'
import type { Shipping } from './shipping.ts'
import { UploadSteps } from './upload-steps.ts'

/** Asked at once, the receiver would throw away what it has not read yet of the connection that was cut. */
const afterCutMs = 300

export interface Resumed {
  /** Undefined: nobody there knows uploads, and the archive is to be sent in one PUT. */
  readonly answer: Answer | undefined
  /** The entry with what its sidecar knows of the upload by now. */
  readonly entry: Entry
  /** The answer is about a step and says nothing of the entry: it goes on later. */
  readonly standsStill?: boolean
}

export async function sendResumably(shipping: Shipping, entry: Entry, signal: AbortSignal): Promise<Resumed> {
  const upload = new UploadSteps(shipping, entry, signal)
  let step: Step = upload.path === undefined ? { do: 'create' } : { do: 'ask' }
  let patience: Patience | undefined = { setbacks: 0, reached: 0 }
  for (;;) {
    const result = await upload.carryOut(step)
    const next = nextStep(step, result, upload.entry)
    if ('end' in next) {
      if (next.end === 'plain') await upload.forget()
      return { answer: next.end === 'plain' ? undefined : result.answer, entry: upload.entry }
    }
    tell(shipping, entry, next)
    patience = stillPatient(patience, next)
    if (!patience) return { answer: result.answer, entry: upload.entry, standsStill: isNoVerdict(result.answer) }
    step = next.step
    await upload.remember(step)
    if (next.reason === 'cut') await wait(afterCutMs, undefined, { signal }).catch(() => undefined)
  }
}

function isNoVerdict(answer: Answer): boolean {
  return answer.kind === 'answer' && answer.problem === undefined && answer.status < 500
}

const quiet: readonly Reason[] = ['created', 'goes-on', 'all-sent']

function tell({ log }: Shipping, { id, bytes }: Entry, { step, reason }: { step: Step; reason: Reason }): void {
  const offset = 'offset' in step ? step.offset : undefined
  if (reason === 'known' || reason === 'lost-answer')
    log.info({ event: 'resumed', id, reason, offset, bytes }, 'an upload goes on where it was')
  else if (!quiet.includes(reason)) log.warn({ event: 'upload-setback', id, reason, offset, bytes }, 'an upload was set back')
}
