/** A resumable upload, step by step: what the answer to one step makes of the next. */
import type { Answer, Answered } from './answer.ts'
import { expectedOffset, uploadComplete, uploadState } from './upload-state.ts'

/** Larger archives are sent so that a cut costs only what was on its way. */
export const resumeAbove = 32 * 1024 * 1024
/** A cut after less than this is no progress. */
const leastProgress = 256 * 1024

export type Step =
  /** An empty PUT: makes the upload, or finds the open one; and asks gate, conflict and room before a byte flows. */
  | { readonly do: 'create' }
  /** HEAD: how far is it? */
  | { readonly do: 'ask' }
  /** PATCH with `?0`: more of the archive from here. */
  | { readonly do: 'append'; readonly offset: number; readonly most?: number }
  /** An empty PATCH with `?1`: all is there, or the answer got lost. */
  | { readonly do: 'finish'; readonly offset: number }
  /** DELETE, and create anew: what the receiver has is not a beginning of this archive. */
  | { readonly do: 'restart' }

export type Next =
  | { readonly step: Step; readonly reason: Reason }
  /** The answer decides about the entry, as that to a plain PUT does. */
  | { readonly end: 'answered' }
  /** No resumable uploads there: send it in one PUT. */
  | { readonly end: 'plain' }

export type Reason =
  | 'created'
  | 'goes-on'
  | 'all-sent'
  | 'known'
  | 'lost-answer'
  | 'cut'
  | 'moved'
  | 'gone'
  | 'other-bytes'
  | 'no-word'
  | 'stands-still'

/** Reasons that a healthy upload has no more than a few of. */
const setbacks: readonly Reason[] = ['cut', 'moved', 'gone', 'other-bytes', 'no-word', 'stands-still']
const mostSetbacks = 4

export interface Upload {
  readonly id: string
  readonly bytes: number
  /** As the sidecar has them by now. */
  readonly upload_url?: string | undefined
  readonly upload_offset?: number | undefined
}

/** What was sent resumably once goes on so; so does what was cut in the middle of a plain PUT. */
export function wantsResume(entry: {
  readonly bytes: number
  readonly upload_url?: string | undefined
  readonly last?: { readonly code: string } | undefined
}): boolean {
  const cut = ['connection-cut', 'answer-timeout', 'too-slow'].includes(entry.last?.code ?? '')
  return entry.bytes > resumeAbove || entry.upload_url !== undefined || cut
}

export interface StepResult {
  readonly answer: Answer
  /** The creation named a place that is the receiver's own. */
  readonly located?: boolean
  /** Whether the receiver's bytes are the beginning of our archive; undefined where it did not say. */
  readonly prefixFits?: boolean
}

export function nextStep(step: Step, result: StepResult, upload: Upload): Next {
  const { answer } = result
  if (answer.kind === 'fault') {
    const cut = answer.code === 'connection-cut' || answer.code === 'answer-timeout'
    return cut && (step.do === 'append' || step.do === 'finish') ? to({ do: 'ask' }, 'cut') : { end: 'answered' }
  }
  switch (step.do) {
    case 'create':
    case 'restart':
      return afterCreate(answer, upload, result.located === true)
    case 'ask':
      return afterAsk(answer, upload, result.prefixFits)
    case 'append':
    case 'finish':
      return afterPatch(step, answer, upload)
  }
}

function afterCreate(answer: Answered, upload: Upload, located: boolean): Next {
  if (isSuccess(answer)) {
    const state = uploadState(answer.headers)
    if (uploadComplete(answer.headers) === true) return { end: 'answered' }
    // An upload that was open already is asked what it has: the answer to that may prove it.
    if (state && located) return state.offset > 0 ? to({ do: 'ask' }, 'created') : goOn(0, upload, 'created', state.maxAppend)
    // A receipt that does not say what it is for was given for an empty body: nobody there knows uploads.
    return !state && answer.body.startsWith('{') ? { end: 'plain' } : { end: 'answered' }
  }
  if (answer.problem?.code === 'sha256-mismatch') return { end: 'plain' }
  // There was an upload: somebody stands in between for a while, as a proxy does when its receiver is replaced.
  const inBetween = answer.problem === undefined && upload.upload_url !== undefined
  return isForeignHere(answer) && !inBetween ? { end: 'plain' } : { end: 'answered' }
}

function afterAsk(answer: Answered, upload: Upload, prefixFits: boolean | undefined): Next {
  if (answer.status === 404 || answer.status === 410) return to({ do: 'create' }, 'gone')
  // What has arrived is not thrown away for a stranger's word.
  if (answer.status === 405 || answer.status === 501) return { end: (upload.upload_offset ?? 0) > 0 ? 'answered' : 'plain' }
  if (answer.status >= 500) return { end: 'answered' }
  const state = isSuccess(answer) ? uploadState(answer.headers) : undefined
  // An answer to HEAD cannot say why; that to the creation can.
  if (!state) return to({ do: 'create' }, 'no-word')
  const misfit = state.offset > upload.bytes || (state.length ?? upload.bytes) !== upload.bytes || prefixFits === false
  if (misfit) return to({ do: 'restart' }, 'other-bytes')
  if (state.complete) return to({ do: 'finish', offset: state.offset }, 'lost-answer')
  return goOn(state.offset, upload, 'known', state.maxAppend)
}

function afterPatch(step: Step & { readonly offset: number }, answer: Answered, upload: Upload): Next {
  const code = answer.problem?.code
  if (code === 'upload-gone') return to({ do: 'create' }, 'gone')
  if (code === 'mismatching-upload-offset') {
    const offset = expectedOffset(answer)
    return offset === undefined || offset > upload.bytes ? to({ do: 'ask' }, 'moved') : goOn(offset, upload, 'moved')
  }
  if (isForeignHere(answer)) return { end: step.offset === 0 ? 'plain' : 'answered' }
  const state = isSuccess(answer) ? uploadState(answer.headers) : undefined
  if (step.do === 'finish' || !state || state.complete) return { end: 'answered' }
  if (state.offset > upload.bytes) return to({ do: 'restart' }, 'other-bytes')
  return goOn(state.offset, upload, state.offset > step.offset ? 'goes-on' : 'stands-still', state.maxAppend)
}

function goOn(offset: number, upload: Upload, reason: Reason, most?: number): Next {
  if (offset >= upload.bytes) return to({ do: 'finish', offset: upload.bytes }, reason === 'goes-on' ? 'all-sent' : reason)
  return to({ do: 'append', offset, ...(most === undefined ? {} : { most }) }, reason)
}

/** Said by somebody who does not have this route, or not this method. */
function isForeignHere({ status, problem }: Answered): boolean {
  if (problem) return problem.code === 'not-found' || problem.code === 'method-not-allowed'
  return status === 404 || status === 405 || status === 501
}

function isSuccess({ status }: Answered): boolean {
  return status >= 200 && status < 300
}

function to(step: Step, reason: Reason): Next {
  return { step, reason }
}

/** Ends what goes round in circles: setbacks in a row without progress are counted, and a few are enough. */
export interface Patience {
  readonly setbacks: number
  /** The furthest offset so far. */
  readonly reached: number
}

/** @param offset where the receiver is now, as far as the step says. @returns undefined when it is enough */
export function stillPatient(patience: Patience, next: { readonly step: Step; readonly reason: Reason }): Patience | undefined {
  const offset = 'offset' in next.step ? next.step.offset : 0
  const reached = Math.max(patience.reached, offset)
  const progressed = reached - patience.reached >= leastProgress
  const before = progressed ? 0 : patience.setbacks
  const count = before + (setbacks.includes(next.reason) ? 1 : 0)
  return count > mostSetbacks ? undefined : { setbacks: count, reached: progressed ? reached : patience.reached }
}
