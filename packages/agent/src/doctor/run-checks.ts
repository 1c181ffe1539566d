/** Runs checks at once, each within its time; what follows from another's failure is skipped, so that a report shows roots. */
import type { CheckResult } from '@cis490/shared/check.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Check, Finding } from './check.ts'

/** @param onResult told after each, with how many are done. @returns results in the order of the checks */
export async function runChecks(checks: readonly Check[], onResult?: (done: number) => void): Promise<CheckResult[]> {
  const results = new Map<string, Promise<CheckResult>>()
  let done = 0
  const runOne = async (check: Check): Promise<CheckResult> => {
    // All checks are on the map before one looks for its roots.
    await Promise.resolve()
    const root = rootOf(await Promise.all(check.depends_on.map(async (code) => results.get(code))))
    const started = performance.now()
    const finding: Finding =
      root === undefined
        ? await within(check)
        : { outcome: 'skip', text: `not looked at: ${root} comes first`, data: { hidden_by: root } }
    onResult?.(++done)
    return resultOf(check, finding, performance.now() - started)
  }
  for (const check of checks) results.set(check.code, runOne(check))
  return Promise.all(results.values())
}

/** The first link that broke, also where others between are skipped for its sake. */
function rootOf(needed: readonly (CheckResult | undefined)[]): string | undefined {
  for (const result of needed) {
    if (result?.outcome === 'fail' || result?.outcome === 'unknown') return result.code
    const behind = result?.data['hidden_by']
    if (typeof behind === 'string') return behind
  }
  return undefined
}

async function within(check: Check): Promise<Finding> {
  const controller = new AbortController()
  const { promise: late, resolve } = Promise.withResolvers<Finding>()
  const timer = setTimeout(() => {
    resolve({ outcome: 'unknown', text: `no result within ${check.timeout / 1000} s` })
    controller.abort()
  }, check.timeout)
  try {
    return await Promise.race([check.run(controller.signal), late])
  } catch (error) {
    return { outcome: 'unknown', text: `could not find out: ${messageOf(error)}` }
  } finally {
    clearTimeout(timer)
  }
}

function resultOf(check: Check, finding: Finding, durationMs: number): CheckResult {
  const { code, title, severity } = check
  const { outcome, perfdata } = finding
  const data = { ...finding.data, ...(perfdata && { perfdata: perfdata.join(' ') }) }
  const remedy = outcome === 'pass' || outcome === 'skip' ? {} : { remedy: finding.remedy ?? check.remedy }
  return { code, title, outcome, severity, text: printable(finding.text), data, ...remedy, duration_ms: Math.round(durationMs) }
}
