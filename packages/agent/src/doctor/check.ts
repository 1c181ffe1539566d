/** A check as data. What it needs comes in as functions when it is made. */
import type { Outcome } from '@cis490/shared/check.ts'

export interface Finding {
  readonly outcome: Outcome
  /** One line for a person. */
  readonly text: string
  readonly data?: Record<string, unknown>
  /** Instead of the check's own. */
  readonly remedy?: string
  /** Performance data for monitoring, each as `label=value[unit]`. */
  readonly perfdata?: readonly string[]
}

export interface Check {
  readonly code: string
  readonly title: string
  readonly severity: 'warning' | 'critical'
  /** Milliseconds; what takes longer is unknown. */
  readonly timeout: number
  /** Codes of checks whose failure explains this one: then it is skipped. */
  readonly depends_on: readonly string[]
  /** A command or one sentence. */
  readonly remedy: string
  readonly run: (signal: AbortSignal) => Promise<Finding>
}
