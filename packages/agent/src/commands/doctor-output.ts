/** The doctor's results for a person, for a terminal, and for monitoring. */
import { styleText } from 'node:util'
import type { CheckResult, Outcome } from '@cis490/shared/check.ts'
import { counted } from '@cis490/shared/counted.ts'
import { printable } from '@cis490/shared/printable.ts'
import type { HostReport } from '@cis490/shared/report.ts'
import type { Check } from '../doctor/check.ts'

const colour: Record<Outcome, 'green' | 'yellow' | 'red' | 'magenta' | 'gray'> = {
  pass: 'green',
  warn: 'yellow',
  fail: 'red',
  unknown: 'magenta',
  skip: 'gray',
}

function word(outcome: Outcome): string {
  return styleText(colour[outcome], outcome.padEnd(7), { stream: process.stdout })
}

/** A line a check, and under it what to do; a text may quote the receiver. Colours on a terminal only. */
export function describe({ outcome, title, text, remedy }: CheckResult): string[] {
  return [`${word(outcome)} ${title}: ${printable(text)}`, ...(remedy === undefined ? [] : [`        -> ${printable(remedy)}`])]
}

/** With columns: outcome, code, text; texts and remedies are wrapped where the terminal ends. */
export function drawTable(results: readonly CheckResult[], columns: number): string[] {
  const width = Math.max(4, ...results.map(({ code }) => code.length))
  const indent = 8 + width + 2
  const room = Math.max(30, columns - indent - 1)
  const under = ' '.repeat(indent)
  return results.flatMap(({ outcome, code, text, remedy }) => {
    const [first = '', ...more] = wrap(printable(text), room)
    const cure = remedy === undefined ? [] : wrap(`-> ${printable(remedy)}`, room)
    return [
      `${word(outcome)} ${code.padEnd(width)}  ${first}`,
      ...more.map((line) => under + line),
      ...cure.map((line) => under + styleText('bold', line, { stream: process.stdout })),
    ]
  })
}

/** At spaces; a word that is longer than a line, like a path, stays whole. */
function wrap(text: string, room: number): string[] {
  const lines: string[] = []
  for (const one of text.split(' ')) {
    const line = lines.at(-1)
    if (line !== undefined && line.length + one.length < room) lines[lines.length - 1] = `${line} ${one}`
    else lines.push(one)
  }
  return lines
}

/** Code of the check that explains this one. */
export function hiddenBy({ data }: CheckResult): string | undefined {
  return typeof data['hidden_by'] === 'string' ? data['hidden_by'] : undefined
}

/** One line for each root: what follows from it is no finding. */
export function describeHidden(results: readonly CheckResult[]): string[] {
  const roots = Map.groupBy(
    results.filter((result) => hiddenBy(result) !== undefined),
    (result) => hiddenBy(result) as string,
  )
  return [...roots].map(([root, hidden]) => `${word('skip')} after ${root}: ${hidden.map(({ code }) => code).join(', ')}`)
}

const order: readonly Outcome[] = ['fail', 'unknown', 'warn', 'pass', 'skip']

/** `27 checks: 1 fail, 26 pass` */
export function sumUp(results: readonly CheckResult[]): string {
  const counts = order.flatMap((outcome) => {
    const count = results.filter((result) => result.outcome === outcome).length
    return count === 0 ? [] : [`${count} ${outcome}`]
  })
  return `${counted(results.length, 'check')}: ${counts.join(', ')}`
}

/** What `--list` shows of a check. */
export function listed({ code, title, severity, depends_on, timeout, remedy }: Check): Omit<Check, 'run'> {
  return { code, title, severity, depends_on, timeout, remedy }
}

export function drawList(checks: readonly Check[]): string[] {
  const width = Math.max(...checks.map(({ code }) => code.length))
  return checks.map(({ code, title, severity, depends_on }) => {
    const roots = depends_on.length === 0 ? '' : `; after ${depends_on.join(', ')}`
    return printable(`${code.padEnd(width)}  ${severity.padEnd(8)}  ${title}${roots}`)
  })
}

export const nagiosExit: Record<Outcome, number> = { pass: 0, skip: 0, warn: 1, fail: 2, unknown: 3 }
const nagiosWord: Record<Outcome, string> = { pass: 'OK', skip: 'OK', warn: 'WARNING', fail: 'CRITICAL', unknown: 'UNKNOWN' }

/** The worst checks in one line, then performance data. `|` stands between the two, so text must not hold it. */
export function nagiosLine({ outcome, results }: Pick<HostReport, 'outcome' | 'results'>): string {
  const worst = results.filter((result) => result.outcome === outcome && outcome !== 'pass')
  const text = worst.length === 0 ? sumUp(results) : worst.map((result) => `${result.code}: ${result.text}`).join('; ')
  const count = (wanted: Outcome) => results.filter((result) => result.outcome === wanted).length
  const counts = (['fail', 'unknown', 'warn'] as const).map((one) => `${one}=${count(one)}`)
  const measured = results.flatMap(({ data }) =>
    typeof data['perfdata'] === 'string' && data['perfdata'] ? [data['perfdata']] : [],
  )
  return `${nagiosWord[outcome]} - ${printable(text).replaceAll('|', '/')} | ${printable([...counts, ...measured].join(' '))}`
}
