/** Every decision about one episode, and what comes of it. */
import { type Explanation, inOrder } from '@cis490/shared/explain.ts'
import { type Consequence, isProblemCode, problems } from '@cis490/shared/problems.ts'
import type { TaintMark } from '@cis490/shared/taint.ts'
import { type EpisodeTrace, eventsOf } from './explain-events.ts'

export interface Known {
  readonly id: string
  readonly host: string | undefined
  readonly trace: EpisodeTrace
  /** What stands against it now. */
  readonly tainted: TaintMark | undefined
  /** Refusals before this time may be gone; undefined: all are there. */
  readonly rejectsSince: string | undefined
}

export function explain({ id, host, trace, tainted, rejectsSince }: Known): Explanation {
  const state = stateOf(trace)
  const notes = [
    ...(rejectsSince === undefined ? [] : [`refusals before ${rejectsSince} may have been rotated away`]),
    ...(trace.archive && !trace.row ? ['it is stored and has no row in the index yet: a restart or fsck --repair adds it'] : []),
    ...(trace.archive && !trace.receipt ? ['its receipt is missing: backfill makes a new one'] : []),
  ]
  return {
    ...{ id, ...(host !== undefined && { host }), state },
    events: inOrder(eventsOf(trace)),
    notes,
    ...(tainted && { tainted }),
    next: nextOf(state, trace, tainted),
  }
}

function stateOf({ archive, row, uploads, prunes, losses, rejects }: EpisodeTrace): Explanation['state'] {
  if (archive) return 'stored'
  if (prunes.length > 0) return 'pruned'
  if (uploads.some(({ finished }) => !finished)) return 'uploading'
  if (losses.length > 0 || row) return 'lost'
  return rejects.length > 0 ? 'refused' : 'unknown'
}

/** What the host's agent does after a refusal, and who has to do something. */
const afterRefusal: Record<Consequence, string> = {
  gated: 'it waits on the host until the gate lets its commit in: update the host, widen the window, or write a waiver',
  quarantine: 'the host keeps it and sends it no more until a person decides: cis490-agent outbox release or drop',
  retry: 'the host sends it again by itself',
  'retry-slowly': 'the host sends it again by itself, slowly: make room in the store',
  rehash: 'the host hashes its archive and sends it again by itself',
  'create-anew': 'the host begins its upload anew by itself',
  resume: 'the host goes on with its upload by itself',
  compare: 'the host compares what is stored with what it has by itself',
  'all-wait': 'everything on the host waits until the cause is mended: see the last refusal',
  none: 'the host asked for something that is not an upload',
}

function nextOf(state: Explanation['state'], trace: EpisodeTrace, tainted: TaintMark | undefined): string {
  switch (state) {
    case 'stored':
      return tainted
        ? `it stays in the store, and out of lists and manifests while it is tainted: ${tainted.reason}`
        : 'nothing: it is stored for good'
    case 'pruned':
      return 'nothing: it was taken out on purpose; its row and receipt stay'
    case 'uploading':
      return 'the host goes on with its upload by itself'
    case 'lost':
      return nextOfLost(trace)
    case 'refused': {
      const code = trace.rejects.at(-1)?.code
      return isProblemCode(code) ? afterRefusal[problems[code].consequence] : 'see the last refusal'
    }
    case 'unknown':
      return 'nothing has come of it: ask the host, cis490-agent why'
  }
}

/** A repair that wrote the loss down has freed the id; before it the row still promises these bytes. */
function nextOfLost({ losses }: EpisodeTrace): string {
  const loss = losses.at(-1)
  const again = 'send the same bytes again, from the host (cis490-agent outbox list shows what it has), a backup or an export'
  if (!loss) return `${again}; or write the loss down: cis490-receiver fsck --repair`
  const kept = loss.kept?.length ? `; look at what the repair kept: ${loss.kept.join(', ')}` : ''
  return `${again}: the id is free${kept}`
}
