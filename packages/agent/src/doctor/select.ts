/** Which checks somebody asked for. */
import { nearest } from '@cis490/shared/nearest.ts'
import type { Check } from './check.ts'

/** Does this code work on this host? Nothing of the network, and nothing that other code would do better. */
export const quick: readonly string[] = ['configuration', 'outbox', 'runtime']

export interface Wanted {
  /** Codes, or `quick`; one that ends in `*` stands for all that begin so. Empty: all. */
  readonly only: readonly string[]
  readonly skip: readonly string[]
}

/** What is left out hides nothing: a check alone is made without its roots. @returns the checks, or what is wrong with a name */
export function selectChecks(checks: readonly Check[], wanted: Wanted): readonly Check[] | string {
  const [only, skip] = [wanted.only, wanted.skip].map((names) =>
    names.flatMap((name) => (name === 'quick' ? quick : [name])),
  ) as [string[], string[]]
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
