/** The gated lane: each distinct commit is asked about once when there is a reason to, and all its entries follow the answer. */
import { counted } from '@cis490/shared/counted.ts'
import type { GateAnswer } from '@cis490/shared/gate-answer.ts'
import { gateVerdict, remember, whyAsk } from '../core/gate-lane.ts'
import type { Entry } from '../outbox/entry.ts'
import { gateOf } from './ask-gate.ts'
import type { Shipping } from './shipping.ts'

/** Does nothing where the receiver does not answer: the lane stays, and the next pass asks again. */
export async function rearm(shipping: Shipping, signal: AbortSignal): Promise<void> {
  const { outbox, log, memory } = shipping
  const gated = (await outbox.entries()).filter((entry) => entry.lane === 'gated')
  if (gated.length === 0) return
  const gate = gateOf(await shipping.client().gate(undefined, signal))
  const reason = gate && whyAsk(memory.gate, gate.head, shipping.now())
  if (!gate || !reason) return
  let complete = true
  for (const [commit, entries] of Map.groupBy(gated, (entry) => entry.commit)) {
    const answer = commit === undefined ? gate : gateOf(await shipping.client().gate(commit, signal))
    const verdict = answer ? gateVerdict(answer, commit) : 'unknown'
    if (verdict === 'accept') await release(shipping, entries)
    else if (answer && verdict === 'refuse') remind(shipping, commit, answer, entries)
    else complete = false
    log.info({ event: 'gate-asked', reason, commit, verdict, entries: entries.length }, 'asked the gate about a commit')
  }
  if (complete) memory.gate = remember(gate.head, shipping.now(), shipping.random())
}

async function release(shipping: Shipping, entries: readonly Entry[]): Promise<void> {
  for (const { next_at: _, ...entry } of entries) await shipping.outbox.update({ ...entry, lane: 'ready' })
}

function remind(shipping: Shipping, commit: string | undefined, answer: GateAnswer, entries: readonly Entry[]): void {
  const code = answer.code ?? entries[0]?.last?.code ?? 'commit-not-in-window'
  const detail = `${counted(entries.length, 'episode')} on the gated lane`
  const head = answer.head_commit ?? answer.head ?? undefined
  shipping.teller.tell({ code, detail, commit, head, remediation: answer.remediation })
}
