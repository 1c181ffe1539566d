/** What a monitoring plugin says: exit code, first line, performance data. */
import type { Outcome } from '@cis490/shared/check.ts'

const outcomes: readonly Outcome[] = ['pass', 'warn', 'fail', 'unknown']

/** @param code null: a signal ended it */
export function pluginOutcome(code: number | null): Outcome {
  return (code === null ? undefined : outcomes[code]) ?? 'unknown'
}

export interface PluginOutput {
  readonly text: string
  /** Each `label=value…` as the plugin wrote it. */
  readonly perfdata: readonly string[]
}

/** `TEXT | PERFDATA`, then lines of more text, of which one may begin more performance data. */
export function readPluginOutput(stdout: string): PluginOutput {
  const [first = '', ...more] = stdout.split('\n')
  const [text = '', ...firstData] = first.split('|')
  const later = more.join('\n').split('|').slice(1)
  return { text: text.trim(), perfdata: perfdataIn([...firstData, ...later].join(' ')) }
}

/** Labels with spaces stand between single quotes, in which two quotes stand for one. */
export function perfdataIn(text: string): string[] {
  return [...text.matchAll(/(?:'(?:[^'\n]|'')+'|[^\s'=|]+)=[^\s|']+/g)].map(([found]) => found)
}

/** The same with the label behind a prefix: two plugins may use one label. */
export function withPrefix(prefix: string, perfdatum: string): string {
  return perfdatum.startsWith("'") ? `'${prefix}${perfdatum.slice(1)}` : `${prefix}${perfdatum}`
}
