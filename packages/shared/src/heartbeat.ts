/** A host's sign of life, the receiver's answer to it, and the row that is kept. */
import { z } from 'zod'
import { EpisodeId, type HostName, timestamp } from './ids.ts'
import { UpdateAnswer, Wave } from './rollout.ts'

const count = z.int().nonnegative()
const time = z.iso.datetime({ offset: true })

/** What a host says. All of it is optional: an agent that is older or newer is alive too. Members that are not known are dropped. */
export const Heartbeat = z.object({
  /** By the host's own clock. */
  at: time.optional(),
  /** Another one after each start of the machine. */
  boot_id: z.string().max(64).nullish(),
  outbox: z
    .object({
      ready: count.optional(),
      gated: count.optional(),
      quarantined: count.optional(),
      bytes: count.optional(),
      /** Of the archive that has waited longest. */
      oldest_age_s: z.number().nonnegative().nullish(),
    })
    .optional(),
  episodes: z
    .object({
      last_finished_at: time.nullish(),
      /** Folders that wait for a person: their meta.json cannot be read, or is older than their files. */
      stuck: count.optional(),
    })
    .optional(),
  disk_free_bytes: count.nullish(),
  commit: z.string().max(64).nullish(),
  cert_not_after: time.nullish(),
  agent_version: z.string().max(64).optional(),
  /** When it updates: after the waves before. */
  wave: Wave.optional(),
})
export type Heartbeat = z.infer<typeof Heartbeat>

/** More is no heartbeat. */
export const maxHeartbeatBytes = 16 * 1024

/** What the receiver asks of the host until its next heartbeat. */
export const Directives = z.object({
  /** Send nothing. */
  pause: z.literal(true).optional(),
  /** Bytes a second at most, over all uploads together. */
  rate: z.int().positive().optional(),
  /** Send these first. */
  want: z.array(EpisodeId).max(1000).optional(),
  /** May it take the head of the branch? An answer of another shape leaves the other directives in force. */
  update: UpdateAnswer.optional().catch(undefined),
})
export type Directives = z.infer<typeof Directives>

/** A row of heartbeats.jsonl: times in rows are the receiver's, the host's own is `sent_at`. */
export interface HeartbeatRow extends Omit<Heartbeat, 'at'> {
  readonly at: string
  readonly host: HostName
  readonly sent_at?: string
}

/** @param now when it came, epoch milliseconds */
export function heartbeatRow(host: HostName, { at, ...said }: Heartbeat, now: number): HeartbeatRow {
  return { at: timestamp(now), host, ...(at === undefined ? {} : { sent_at: at }), ...said }
}
