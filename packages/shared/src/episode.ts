import { z } from 'zod'
import { EpisodeId } from './ids.ts'

/** `meta.json` of an episode. Unknown fields are kept: they belong to the recorder. */
export const EpisodeMeta = z.looseObject({
  schema_version: z.union([z.string(), z.number()]).optional(),
  episode_id: EpisodeId,
  host: z.string().optional(),
  started_at: z.string().optional(),
  ended_at: z.string().optional(),
  /** What is sent first: -10 to 10, or a word for 10, 0 and -10. */
  priority: z.union([z.number(), z.enum(['high', 'normal', 'low'])]).optional(),
  /** The stamp. Any text is kept here; whether it is a commit is the gate's to say, so that the episode is kept and counted. */
  code_version: z.looseObject({ commit: z.string().optional(), dirty: z.boolean().optional() }).optional(),
})
export type EpisodeMeta = z.infer<typeof EpisodeMeta>
