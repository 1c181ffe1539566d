/** Which checks somebody asked for. */
import { nearest } from '@cis490/shared/nearest.ts'
import type { Check } from './check.ts'

export interface Wanted {
  /** Codes; one that ends in `*` stands for all that begin so. Empty: all. */
  readonly only: readonly string[]
  readonly skip: readonly string[]
}

/** What is left out hides nothing: a check alone is made without its roots. @returns the checks, or what is wrong with a name */
export function selectChecks(checks: readonly Check[], { only, skip }: Wanted): readonly Check[] | string {
  for (const name of [...only, ...skip]) {
    if (checks.some(({ code }) => matches(name, code))) continue
    const [close] = nearest(
      name,
      checks.map(({ code }) => code),
      1,
    )
    return `there is no check "${name}"${close === undefined ? '' : `; did you mean ${close}?`} (cis490-agent doctor --list shows all)`
  }
  const chosen = checks.filter(
    ({ code }) => (only.length === 0 || only.some((name) => matches(name, code))) && !skip.some((name) => matches(name, code)),
  )
  return chosen.length === 0 ? 'no check is left to run' : chosen
}

function matches(name: string, code: string): boolean {
  return name.endsWith('*') ? code.startsWith(name.slice(0, -1)) : code === name
}
