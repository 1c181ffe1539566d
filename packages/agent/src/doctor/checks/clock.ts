/** Our clock against the receiver's `Date`. Asked also where its certificate is not trusted: a wrong clock is the reason for that. */
import { formatDuration } from '@cis490/shared/duration.ts'
import type { Check, Finding } from '../check.ts'
import type { Hello } from '../hello.ts'

const warnMs = 30_000
const failMs = 5 * 60_000

export function clock(hello: () => Promise<Hello>): Check {
  return {
    code: 'clock',
    title: "The clock agrees with the receiver's",
    severity: 'critical',
    timeout: 20_000,
    depends_on: ['receiver-connects'],
    remedy: 'timedatectl status here and on the receiver; sudo timedatectl set-ntp true where it is not synchronized',
    run: async () => {
      const { skewMs } = await hello()
      if (skewMs === undefined) return { outcome: 'skip', text: 'nobody told the time' }
      return judgeSkew(skewMs)
    },
  }
}

/** @param skewMs their clock less ours */
export function judgeSkew(skewMs: number): Finding {
  const off = Math.abs(skewMs)
  const found = { data: { skew_ms: skewMs }, perfdata: [`clock_skew=${(skewMs / 1000).toFixed(3)}s`] }
  if (off <= warnMs)
    return { outcome: 'pass', text: off < 1000 ? 'they agree' : `they differ by ${formatDuration(off)}`, ...found }
  const text = `this clock is ${formatDuration(off)} ${skewMs > 0 ? 'behind' : 'ahead of'} the receiver's`
  return { outcome: off > failMs ? 'fail' : 'warn', text, ...found }
}
