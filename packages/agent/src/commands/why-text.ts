/** What `why` says, and how it looks to a person. */
import type { ExplainEvent } from '@cis490/shared/explain.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { AgentConfig } from '../config.ts'
import type { HostState } from '../core/why-next.ts'

export type SidedEvent = ExplainEvent & { readonly side: 'host' | 'receiver' }

export interface Why {
  readonly id: string
  readonly state: HostState
  readonly events: readonly SidedEvent[]
  readonly notes: readonly string[]
  /** null: not asked. */
  readonly receiver: { readonly reached: boolean; readonly state?: string; readonly detail?: string } | null
  readonly next: string
  /** Of an id that nobody knows. */
  readonly did_you_mean?: readonly string[]
}

export function describe({ id, state, events, notes, receiver, next }: Why): string {
  const lines = [
    `${id}: ${state}${receiver?.state === undefined ? '' : `; at the receiver: ${receiver.state}`}`,
    ...events.map(({ at, side, text }) => `  ${at.padEnd(24)}  ${side.padEnd(8)}  ${text}`),
    ...notes.map((note) => `  note: ${note}`),
    ...receiverLine(receiver),
    `next: ${next}`,
  ]
  return `${lines.map(printable).join('\n')}\n`
}

export function describeUnknown({ id, receiver, did_you_mean: guess = [] }: Why, { paths }: AgentConfig): string {
  const asked = receiver?.reached ? ', and the receiver has not heard of it' : ''
  const lines = [
    `${id}: no trace of it in ${paths.episodes}, ${paths.outbox} and ${paths.state}${asked}`,
    ...(guess.length > 0 ? [`did you mean: ${guess.join(' ')}`] : []),
    ...receiverLine(receiver),
  ]
  return `${lines.map(printable).join('\n')}\n`
}

function receiverLine(receiver: Why['receiver']): string[] {
  if (receiver === null || receiver.detail === undefined) return []
  return [`  receiver: ${receiver.reached ? '' : 'could not be asked: '}${receiver.detail}`]
}
