import { z } from 'zod'

/** One refused PUT: a line of `rejects.jsonl`. Absent means that it was not known when the request was refused. */
export const RejectRow = z.looseObject({
  at: z.string(),
  host: z.string().optional(),
  id: z.string().optional(),
  status: z.int(),
  code: z.string(),
  commit: z.string().optional(),
  remote: z.string().optional(),
  bytes_read: z.int().nonnegative().optional(),
})
export type RejectRow = z.infer<typeof RejectRow>
