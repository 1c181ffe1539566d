/** Is shipping held back, by whom, and until when? */
import type { Check } from '../check.ts'

export interface HeldBack {
  readonly reason: 'paused' | 'directive' | 'outside-window' | 'pressure'
  readonly text: string
  readonly until: string | null
}

/** @param ask undefined: nothing holds it back */
export function shippingCheck(ask: () => Promise<HeldBack | undefined>): Check {
  return {
    code: 'shipping',
    title: 'Shipping is not held back',
    severity: 'warning',
    timeout: 5000,
    depends_on: [],
    remedy: 'sudo cis490-agent resume',
    run: async () => {
      const held = await ask()
      if (held === undefined) return { outcome: 'pass', text: 'it may run', data: { reason: null } }
      // Only a pause is for a person to end.
      return { outcome: held.reason === 'paused' ? 'warn' : 'pass', text: held.text, data: { ...held } }
    },
  }
}
