/** The history of one episode on one side of the wire, in the order of time. */
import { z } from 'zod'

export const ExplainEvent = z.looseObject({
  /** RFC 3339; of the side that tells. */
  at: z.string(),
  /** A word for programs. */
  what: z.string(),
  /** The same for a person. */
  text: z.string(),
})
export type ExplainEvent = z.infer<typeof ExplainEvent>

/** Answer to `GET /v1/explain`. */
export const Explanation = z.looseObject({
  id: z.string(),
  /** Absent where nobody has heard of the id. */
  host: z.string().optional(),
  state: z.enum(['stored', 'refused', 'uploading', 'pruned', 'lost', 'unknown']),
  events: z.array(ExplainEvent),
  /** What the events cannot tell. */
  notes: z.array(z.string()),
  /** What happens next, or what to do: one sentence. */
  next: z.string(),
})
export type Explanation = z.infer<typeof Explanation>

/** By time; of one moment in the order in which they were given. Times that are none come first. */
export function inOrder<T extends { readonly at: string }>(events: readonly T[]): T[] {
  const time = ({ at }: T) => Date.parse(at) || 0
  return events
    .map((event, k) => ({ event, k }))
    .sort((a, b) => time(a.event) - time(b.event) || a.k - b.k)
    .map(({ event }) => event)
}
