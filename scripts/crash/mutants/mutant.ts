/** A fault put into the sources on purpose: the harness has to find it. */
import type { Form } from '../forms.ts'

export interface Mutant {
  readonly name: string
  /** What is broken, in words. */
  readonly breaks: string
  /** Below the repository. */
  readonly file: string
  /** Text that stands there exactly once. */
  readonly find: string
  readonly replace: string
  /** The work and the forms that are to find it, quickest first. */
  readonly tries: readonly { readonly scenario: string; readonly form: Form }[]
  /** Why nothing can find it: the harness only makes sure that nothing does. */
  readonly equivalent?: string
}
