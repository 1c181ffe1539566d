/** What an upload resource says to an append, to its age, and which answers end it. Pure. */
import type { Problem, ProblemCode } from '@cis490/shared/problems.ts'
import type { Refused } from './claim.ts'
import { type Append, inconsistent } from './upload-request.ts'

export interface Progress {
  readonly offset: number
  readonly length: number
  readonly finished: boolean
}

export type AppendVerdict =
  | { readonly kind: 'append' }
  /** The answer that was given before is given again. */
  | { readonly kind: 'replay' }
  | { readonly kind: 'refuse'; readonly refused: Refused /** The upload can never come right. */; readonly invalid: boolean }

/** Before the body. The offset is judged first: whoever is wrong about that is to ask again before anything else. */
export function appendVerdict(upload: Progress, append: Append): AppendVerdict {
  const end = append.contentLength === undefined ? undefined : append.offset + append.contentLength
  // Sent again as a whole because its answer got lost: it ends where the episode ends, so it is the same last part.
  if (upload.finished && append.complete && (end === upload.length || append.offset === upload.offset)) return { kind: 'replay' }
  if (append.offset !== upload.offset) return refuse(mismatch(upload.offset, append.offset))
  if (upload.finished) return refuse(inconsistent('the upload is complete, nothing more can be appended'))
  if (append.length !== undefined && append.length !== upload.length)
    return refuse(inconsistent(`Upload-Length was ${upload.length} at first and is ${append.length} now`))
  if (end === undefined || end === upload.length) return { kind: 'append' }
  if (append.complete)
    return refuse(inconsistent(`with these bytes the upload would end at ${end}, its Upload-Length is ${upload.length}`))
  return end > upload.length ? { ...refuse(tooMuch(upload.length)), invalid: true } : { kind: 'append' }
}

function refuse(refused: Refused) {
  return { kind: 'refuse', refused, invalid: false } as const
}

function mismatch(expected: number, provided: number): Refused {
  return {
    code: 'mismatching-upload-offset',
    detail: `the upload is at ${expected}, not at ${provided}`,
    members: { 'expected-offset': expected, 'provided-offset': provided },
  }
}

/** Bytes beyond the length: the upload is invalid from then on. */
export function tooMuch(length: number): Refused {
  return inconsistent(`more bytes came than the ${length} of Upload-Length; create the upload anew`)
}

/** Answers that come from looking at the whole episode: they end the upload and are replayed. All others are about the moment. */
const finalCodes: ReadonlySet<ProblemCode> = new Set([
  'sha256-mismatch',
  'invalid-episode',
  'content-conflict',
  'commit-denied',
] satisfies ProblemCode[])

export function isFinal(problem: Problem): boolean {
  return finalCodes.has(problem.code)
}

/** `max-size=…, max-age=…`: the age is what is left, in whole seconds. Times in epoch ms. */
export function uploadLimit(maxSize: number, expiresAt: number, now: number): string {
  return `max-size=${maxSize}, max-age=${Math.max(0, Math.floor((expiresAt - now) / 1000))}`
}
