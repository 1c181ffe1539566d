/** Runs checks at once, each within its time; what follows from another's failure is skipped, so that a report shows roots. */
import type { CheckResult } from '@cis490/shared/check.ts'
import { messageOf } from '@cis490/shared/node/errno.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { Check, Finding } from './check.ts'

/** @returns results in the order of the checks */
export async function runChecks(checks: readonly Check[]): Promise<CheckResult[]> {
  const results = new Map<string, Promise<CheckResult>>()
  const runOne = async (check: Check): Promise<CheckResult> => {
    // All checks are on the map before one looks for its roots.
    await Promise.resolve()
    const roots = await Promise.all(check.depends_on.map(async (code) => results.get(code)))
    const root = roots.find((result) => result?.outcome === 'fail' || result?.outcome === 'unknown')
    const started = performance.now()
    const finding = root ? { outcome: 'skip' as const, text: `not asked: ${root.title} comes first` } : await within(check)
    return resultOf(check, finding, performance.now() - started)
  }
  for (const check of checks) results.set(check.code, runOne(check))
  return Promise.all(results.values())
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
  const { outcome, data = {} } = finding
  const remedy = outcome === 'pass' || outcome === 'skip' ? {} : { remedy: finding.remedy ?? check.remedy }
  return { code, title, outcome, severity, text: printable(finding.text), data, ...remedy, duration_ms: Math.round(durationMs) }
}
