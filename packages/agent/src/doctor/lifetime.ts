/** How far a certificate is in its life. */
import type { Finding } from './check.ts'

const day = 86_400_000

export interface Lifetime {
  readonly from: number
  readonly to: number
}

/** @returns whole days that are left, and the part of its life that is over, 0 to 1 */
export function lifetimeData({ from, to }: Lifetime, now: number): { not_after: string; days_left: number; share: number } {
  const share = to > from ? (now - from) / (to - from) : 1
  return {
    not_after: new Date(to).toISOString(),
    days_left: Math.floor((to - now) / day),
    share: Math.round(Math.max(0, share) * 1000) / 1000,
  }
}

/** A certificate that is renewed at two thirds of its life never has only its last quarter, or week, left. */
export function nearlyOver({ from, to }: Lifetime, now: number): boolean {
  return to - now < Math.min(7 * day, (to - from) / 4)
}

/** @param whose the words that the sentence begins with */
export function judgeLifetime(whose: string, life: Lifetime, now: number, more: Record<string, unknown> = {}): Finding {
  const found = lifetimeData(life, now)
  const data = { ...more, ...found }
  const percent = Math.round(found.share * 100)
  if (nearlyOver(life, now))
    return { outcome: 'warn', text: `${whose} expires in ${found.days_left} days, ${percent} % of its life is over`, data }
  return { outcome: 'pass', text: `valid for ${found.days_left} more days, ${percent} % of its life is over`, data }
}
