/** Staged updates: may a host take the head of the branch? The receiver's answer, as it goes over the wire. */
import { z } from 'zod'

/** Number of a wave; 0 are the canaries. More than these nobody needs. */
export const Wave = z.int().min(0).max(1000)

/** Why a host may update. */
export type AllowedReason =
  | 'canary' // wave 0 takes every head
  | 'current' // it runs the head already
  | 'proven' // enough hosts of the waves before run it and report well
  | 'no-canaries' // nobody is in a wave before, and the head has soaked

/** Why it may not, yet. */
export type HeldReason =
  | 'hold-update' // the operator's directive
  | 'head-unknown' // the receiver does not know the head of the branch
  | 'rolled-back' // a host of a wave before took it and went back
  | 'unwell' // hosts of a wave before run it and their doctor fails
  | 'behind' // too few of them run it yet
  | 'unreported' // they run it and have not reported since
  | 'soaking' // all is well, and the time is not over

export type UpdateReason = AllowedReason | HeldReason

/** A newer receiver may have other words: what counts is `allowed`. */
export const UpdateAnswer = z.object({
  allowed: z.boolean(),
  reason: z.string().max(64),
  /** For a person. */
  text: z.string().max(1000).optional(),
  /** The wave that was judged. */
  wave: Wave.optional(),
  /** The head of the branch that was judged. */
  commit: z.string().max(64).optional(),
})
export type UpdateAnswer = z.infer<typeof UpdateAnswer>

/** `GET /v1/hosts/<host>/update`: may it, with this wave and this commit? */
export function updatePath(host: string, wave: number, commit: string | null): string {
  return `/v1/hosts/${host}/update?wave=${wave}${commit === null ? '' : `&commit=${commit}`}`
}

/** `GET /v1/rollout` */
export const rolloutPath = '/v1/rollout'

/** One host in the answer of `GET /v1/rollout`. */
export const RolloutHost = z.object({
  wave: Wave,
  commit: z.string().nullable(),
  /** When it was first heard with this commit. */
  since: z.string(),
  heard_at: z.string(),
  /** Of its last report. */
  report: z.object({ received_at: z.string(), commit: z.string().nullable(), outcome: z.string().nullable() }).nullable(),
  update: UpdateAnswer,
})
export type RolloutHost = z.infer<typeof RolloutHost>

export const RolloutView = z.object({
  generated_at: z.string(),
  head: z.string().nullable(),
  head_seen_at: z.string().nullable(),
  soak_s: z.number(),
  hosts: z.record(z.string(), RolloutHost),
})
export type RolloutView = z.infer<typeof RolloutView>
