/** Every refusal of the wire once: its code, its status, its title and the lane that the agent moves the entry to. */

/** What an agent does with the entry (or with all of them) after a refusal. */
export type Consequence =
  | 'gated' // keep the entry on the gated lane until the gate's answer for its commit changes
  | 'quarantine' // permanent for this entry: a person decides
  | 'retry' // the entry again, with backoff
  | 'retry-slowly' // the entry again, slowly, and an alarm
  | 'rehash' // hash the archive again: unchanged is retried up to 3 times, then quarantined
  | 'create-anew' // the upload resource is gone: create another one and send from the start
  | 'resume' // ask the upload resource for its offset and go on from there
  | 'compare' // HEAD the episode and compare hashes
  | 'all-wait' // not about this entry: everything waits, with an alarm
  | 'none' // not an answer to an upload

interface ProblemDescriptor {
  readonly status: number
  readonly title: string
  readonly consequence: Consequence
}

export const problems = {
  'commit-missing': { status: 400, title: 'The upload carries no commit stamp', consequence: 'gated' },
  'commit-malformed': { status: 400, title: 'The commit stamp is not a commit hash', consequence: 'gated' },
  'commit-not-in-window': { status: 412, title: 'The code that made this episode is too old or unknown', consequence: 'gated' },
  'commit-denied': { status: 412, title: 'The code that made this episode is on the deny list', consequence: 'gated' },
  'gate-unavailable': { status: 503, title: 'The version gate has no commit set yet', consequence: 'retry' },
  overloaded: { status: 503, title: 'The receiver is busy', consequence: 'retry' },
  'shutting-down': { status: 503, title: 'The receiver is shutting down', consequence: 'retry' },
  'sha256-missing': { status: 400, title: 'X-Content-SHA256 is missing', consequence: 'quarantine' },
  'sha256-malformed': { status: 400, title: 'X-Content-SHA256 is not 64 hexadecimal digits', consequence: 'quarantine' },
  'digest-disagree': { status: 400, title: 'Repr-Digest and X-Content-SHA256 disagree', consequence: 'quarantine' },
  'bad-id': { status: 400, title: 'The episode id is not valid', consequence: 'quarantine' },
  'bad-suffix': { status: 400, title: 'The path does not end in .tar.zst', consequence: 'quarantine' },
  'partial-put': { status: 400, title: 'A partial PUT is not supported', consequence: 'quarantine' },
  'sha256-mismatch': { status: 400, title: 'The body is not what its hash or length says', consequence: 'rehash' },
  'invalid-episode': { status: 422, title: 'The archive is not a valid episode', consequence: 'quarantine' },
  'already-exists': { status: 412, title: 'The episode is stored already', consequence: 'compare' },
  'host-missing': { status: 400, title: 'Nothing names the host', consequence: 'all-wait' },
  'upload-length-missing': { status: 400, title: 'Upload-Length is missing', consequence: 'none' },
  'inconsistent-upload-length': { status: 400, title: 'The lengths of the upload disagree', consequence: 'none' },
  'bad-append': { status: 400, title: 'The request to append cannot be understood', consequence: 'none' },
  'upload-gone': { status: 404, title: 'There is no such upload any more', consequence: 'create-anew' },
  'mismatching-upload-offset': { status: 409, title: 'The upload is at another offset', consequence: 'resume' },
  'bad-query': { status: 400, title: 'The query is not valid', consequence: 'none' },
  'bad-report': { status: 400, title: 'The report is not valid', consequence: 'none' },
  'not-found': { status: 404, title: 'Not found', consequence: 'all-wait' },
  pruned: { status: 410, title: 'The archive was taken out of the store', consequence: 'none' },
  'method-not-allowed': { status: 405, title: 'Method not allowed', consequence: 'all-wait' },
  'unsupported-media-type': { status: 415, title: 'Unsupported media type', consequence: 'none' },
  internal: { status: 500, title: 'Internal error', consequence: 'retry' },
  unauthorized: { status: 401, title: 'A valid bearer token is required', consequence: 'all-wait' },
  'join-refused': { status: 401, title: 'The join token does not hold', consequence: 'none' },
  'bad-csr': { status: 400, title: 'The certificate request cannot be granted', consequence: 'none' },
  'ca-unavailable': { status: 503, title: 'The CA of the receiver cannot sign', consequence: 'none' },
  'certificate-missing': { status: 403, title: 'A client certificate is required', consequence: 'all-wait' },
  'certificate-expired': { status: 403, title: 'The client certificate has expired', consequence: 'all-wait' },
  'certificate-untrusted': { status: 403, title: 'The client certificate is not trusted', consequence: 'all-wait' },
  'wrong-host': { status: 403, title: 'The certificate names another host', consequence: 'all-wait' },
  'too-slow': { status: 408, title: 'The body came too slowly', consequence: 'retry' },
  'content-conflict': { status: 409, title: 'Another archive is stored under this id', consequence: 'quarantine' },
  'upload-in-progress': { status: 409, title: 'This episode is being uploaded already', consequence: 'retry' },
  'too-large': { status: 413, title: 'The body is too large', consequence: 'quarantine' },
  'content-encoding': { status: 415, title: 'Content-Encoding is not supported', consequence: 'quarantine' },
  quota: { status: 429, title: 'The quota of this host is used up', consequence: 'retry' },
  rate: { status: 429, title: 'Too many requests', consequence: 'retry' },
  'store-full': { status: 507, title: 'The store has no room', consequence: 'retry-slowly' },
} as const satisfies Record<string, ProblemDescriptor>

export type ProblemCode = keyof typeof problems

export function isProblemCode(code: unknown): code is ProblemCode {
  return typeof code === 'string' && Object.hasOwn(problems, code)
}

/** RFC 9457 body of a refusal; the optional members go with single codes. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: ProblemCode
  remediation?: string
  your_commit?: string
  head_commit?: string
  window?: number
  behind_by?: number
  max_bytes?: number
  retry_after_s?: number
  stored_sha256?: string
  your_sha256?: string
  'expected-offset'?: number
  'provided-offset'?: number
}

export type ProblemMembers = Omit<Problem, 'type' | 'title' | 'status' | 'detail' | 'code'>

/** Problem types that IANA registers (draft-ietf-httpbis-resumable-upload) keep their registered name. */
const registeredTypes: ReadonlySet<ProblemCode> = new Set(['mismatching-upload-offset', 'inconsistent-upload-length'])

function typeOf(code: ProblemCode): string {
  const registry = registeredTypes.has(code)
    ? 'https://iana.org/assignments/http-problem-types#'
    : 'https://cis490.invalid/problems/'
  return registry + code
}

/** @param status where the code has a second one: 410 for what is known to have been there */
export function problem(
  code: ProblemCode,
  detail: string,
  members: ProblemMembers = {},
  status: number = problems[code].status,
): Problem {
  const { title } = problems[code]
  return { type: typeOf(code), title, status, detail, code, ...members }
}

/** A refusal on its way to the one function that writes errors. Not a fault: nobody logs it as one. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly problem: Problem
  constructor(code: ProblemCode, detail: string, members: ProblemMembers = {}, status?: number) {
    super(`${code}: ${detail}`)
    this.problem = problem(code, detail, members, status)
  }

  /** The same refusal again. */
  static of(told: Problem): Refusal {
    const { code, detail, status, type: _type, title: _title, ...members } = told
    return new Refusal(code, detail, members, status)
  }
}
