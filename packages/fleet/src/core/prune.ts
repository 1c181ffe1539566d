/** Keeps the folded facts bounded: what no rule will ask for again goes. */
import type { Facts } from './judge.ts'

const day = 86_400_000

/** A host that shipped nothing for this long is forgotten; its open alert stays in the alert log. */
const hostsKept = 90 * day

/** Refusals come from anyone who can reach the receiver: names are kept for a short time and in a bounded number. */
const refusedHostsKept = 10_000

/** Changes the facts in place. */
export function prune(facts: Facts, at: number): void {
  drop(facts.accepted, (one) => one.last < at - hostsKept)
  drop(facts.heartbeats, (one) => one.at < at - day)
  for (const [host, refused] of facts.refused) {
    const kept = refused.filter((one) => one.last >= at - day)
    if (kept.length > 0) facts.refused.set(host, kept)
    else facts.refused.delete(host)
  }
  for (const host of facts.refused.keys()) {
    if (facts.refused.size <= refusedHostsKept) break
    facts.refused.delete(host)
  }
  drop(facts.alerts, (one) => !one.open && one.fired_at < at - day)
}

function drop<T>(map: Map<string, T>, isOld: (value: T) => boolean): void {
  for (const [key, value] of map) if (isOld(value)) map.delete(key)
}
