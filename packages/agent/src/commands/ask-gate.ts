/** The gate's answer for one stamp, before anything is packed for it: what it refuses goes straight to the gated lane. */
import { GateAnswer } from '@cis490/shared/gate-answer.ts'
import { parseObject } from '@cis490/shared/jsonl.ts'
import type { Answer } from '../core/answer.ts'
import { holdAfterFault, isHeld } from '../core/backoff.ts'
import { gateVerdict } from '../core/gate-lane.ts'
import type { GateVerdict } from './pack-one.ts'
import { hold } from './settle.ts'
import type { Shipping } from './shipping.ts'

/** An unreachable receiver is `unavailable`: the episode is packed as ready, and its PUT will tell. */
export function gateAsker(shipping: Shipping, signal: AbortSignal): (commit: string) => Promise<GateVerdict> {
  return async (commit) => {
    if (isHeld(shipping.memory.hold, shipping.now())) return { verdict: 'unavailable' }
    const told = await shipping.client().gate(commit, signal)
    // The next commit is not asked about: packing does not stand still for a receiver that is away.
    if (told.kind === 'fault' && told.code !== 'aborted')
      hold(shipping, (held) => holdAfterFault(held, told.code, shipping.now(), shipping.random()))
    const answer = gateOf(told)
    const verdict = answer ? gateVerdict(answer, commit) : 'unknown'
    if (!answer || verdict === 'unknown') return { verdict: 'unavailable' }
    if (verdict === 'accept') return { verdict }
    const code = answer.code ?? 'commit-not-in-window'
    const head = answer.head_commit ?? answer.head ?? undefined
    shipping.teller.tell({ code, detail: 'the gate refuses this commit', commit, head, remediation: answer.remediation })
    return { verdict, code }
  }
}

/** @returns undefined where there was no usable answer */
export function gateOf(answer: Answer): GateAnswer | undefined {
  if (answer.kind === 'fault' || answer.status !== 200) return undefined
  return GateAnswer.safeParse(parseObject(answer.body)).data
}
