/** What a check must say of a thing that a test broke for real. `test/docs/doctor.test.ts` holds these, as they stand in the tests, against the table of the checks. */
import type { CheckResult } from '@cis490/shared/check.ts'
import { expect } from 'vitest'
import type { Check } from '../../packages/agent/src/doctor/check.ts'
import { runChecks } from '../../packages/agent/src/doctor/run-checks.ts'

/** Written with plain words, and `breaks` and `outcome` first: they are read as text too. */
export interface Breakage {
  /** The code of the check. */
  readonly breaks: string
  readonly outcome: 'warn' | 'fail'
  readonly text: RegExp
  readonly remedy: RegExp
}

/** Words that begin what can be given to a shell. */
export const command =
  /(?:^|[\s(])(?:sudo|sudoedit|cis490-agent|systemctl|journalctl|timedatectl|df|du|ls|ps|curl|openssl|getent|findmnt|git|cd|echo) \S/

/** @param results by code */
export function expectBroken(
  results: Readonly<Record<string, CheckResult>>,
  { breaks: code, outcome, text, remedy }: Breakage,
): void {
  expect(results[code]?.remedy, code).toMatch(command)
  expect(results[code], code).toMatchObject({
    ...{ code, outcome },
    text: expect.stringMatching(text) as string,
    remedy: expect.stringMatching(remedy) as string,
  })
}

/** One check by itself. @returns its result by its code */
export async function runOne(check: Check): Promise<Record<string, CheckResult>> {
  const [result] = await runChecks([{ ...check, depends_on: [] }])
  return result ? { [check.code]: result } : {}
}

/** Each `<code> <outcome>` that a test's text breaks. */
export function breakagesIn(text: string): string[] {
  return [...text.matchAll(/breaks: '([^']+)',\s*outcome: '(warn|fail)'/g)].map(([, code, outcome]) => `${code} ${outcome}`)
}
