/** How an episode stands on this host, and one sentence: what happens next, or what to do. */
import type { Explanation } from '@cis490/shared/explain.ts'
import { unstamped } from './gate-lane.ts'
import { answerText, type HostTrace } from './why-events.ts'

export type HostState =
  | 'recording'
  | 'finished'
  | 'unpackable'
  | 'ready'
  | 'gated'
  | 'quarantine'
  | 'delivered'
  | 'dropped'
  | 'unknown'

/** An entry that waits says more than what was before it. */
export function hostState({ entry, receipts, tombstones, refused, folder, packed, history }: HostTrace): HostState {
  if (entry) return entry.lane
  if (receipts.length > 0) return 'delivered'
  if (tombstones.some(({ what }) => what === undefined)) return 'dropped'
  if (refused) return 'unpackable'
  if (folder) return folder.verdict.state === 'finished' ? 'finished' : 'recording'
  return packed.length + history.length > 0 ? 'dropped' : 'unknown'
}

export interface NextFacts {
  readonly id: string
  readonly state: HostState
  readonly trace: HostTrace
  /** Why nothing is sent at this moment, for a person. */
  readonly held: string | undefined
  /** Epoch milliseconds. */
  readonly now: number
  /** The gate's verdict on its commit, where it was asked. */
  readonly gate: 'accept' | 'refuse' | 'unavailable' | undefined
  /** What the receiver says, where it was asked. */
  readonly receiver: Explanation | undefined
}

export function nextStep(facts: NextFacts): string {
  const { id, state, trace, held, gate, receiver } = facts
  switch (state) {
    case 'recording':
      return unfinished(facts)
    case 'finished':
      return held === undefined
        ? 'the next scan of cis490-agent run packs it, or cis490-agent scan now'
        : `it is packed later: ${held}`
    case 'unpackable':
      return `a person decides: take ${trace.refused?.path ?? 'what is in the way'} out of its folder, or cis490-agent outbox drop ${id} --reason TEXT`
    case 'ready':
      return waiting(facts)
    case 'gated':
      return gate === 'accept'
        ? 'the gate lets its commit in by now: cis490-agent run sends it when it next asks, or cis490-agent outbox release now'
        : unstamped(trace.entry?.last?.code)
          ? `no gate can let it in, it has no full commit hash: the recorder must write one into code_version.commit of meta.json; give this one up: cis490-agent outbox drop ${id} --reason TEXT`
          : 'it waits until the gate lets its commit in: new episodes pass once this host is updated, for old ones widen the window or write a waiver at the receiver'
    case 'quarantine':
      return `a person decides: cis490-agent outbox show ${id}, then release or drop`
    case 'delivered':
      return delivered(receiver)
    case 'dropped':
      return trace.tombstones.length > 0
        ? 'nothing: it was given up, and is never packed again'
        : 'its archive is gone without a receipt or a tombstone: look at the log of cis490-agent'
    case 'unknown':
      return receiver && receiver.state !== 'unknown'
        ? `this host has no trace of it; the receiver says: ${receiver.next}`
        : 'nobody has heard of it'
  }
}

function unfinished({ id, trace }: NextFacts): string {
  const verdict = trace.folder?.verdict
  if (verdict?.state === 'stuck')
    return `touch meta.json of ${id}: ${verdict.file} is newer, and nothing has been written for an hour`
  if (verdict?.state === 'invalid') return `mend it: ${verdict.reason}`
  return verdict?.state === 'recording' && verdict.reason === 'no-meta'
    ? 'it is being recorded: it is packed when meta.json is there'
    : 'it is being recorded: it is packed when meta.json is its newest file'
}

function waiting({ trace, held, now }: NextFacts): string {
  const { last, next_at } = trace.entry ?? {}
  const why = last === undefined ? '' : `; last: ${answerText(last.status, last.code)}`
  if (held !== undefined) return `it is sent later: ${held}${why}`
  if (next_at !== undefined && Date.parse(next_at) > now) return `it is sent again by itself at ${next_at}${why}`
  return `it is sent at the next turn of cis490-agent run, or with cis490-agent ship now${why}`
}

function delivered(receiver: Explanation | undefined): string {
  if (receiver === undefined || receiver.state === 'stored') return receiver?.next ?? 'nothing: it is delivered'
  if (receiver.state === 'pruned') return 'nothing: it was delivered; at the receiver it was taken out on purpose'
  return `the receiver gave a receipt and says ${receiver.state} now: keep what is left of it here, and run cis490-receiver fsck there`
}
