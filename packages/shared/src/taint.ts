/** `taints.jsonl`: what is known to be wrong with stored episodes. Rows are only added; the last statement that fits decides. */
import { z } from 'zod'
import { CommitSha, EpisodeId, HostName } from './ids.ts'

export const TaintRow = z.looseObject({
  at: z.string(),
  kind: z.enum(['commit', 'range', 'id']),
  /** As it was asked for, completed: a whole commit hash, a range, an episode id. */
  value: z.string(),
  /** Of a commit and of a range: what it meant at the time of the statement. */
  commits: z.array(CommitSha).optional(),
  /** Of an id. */
  id: EpisodeId.optional(),
  /** Left out: the episodes of every host. */
  host: HostName.optional(),
  /** `cleared` takes back what was said before. */
  state: z.enum(['tainted', 'cleared']),
  reason: z.string(),
  by: z.string(),
})
export type TaintRow = z.infer<typeof TaintRow>

/** What stands against one episode, as lists and answers show it. */
export interface TaintMark {
  readonly reason: string
  readonly at: string
  readonly by: string
}
