/** A report as text for people. Pure. */
import { formatSize } from '@cis490/shared/size.ts'
import type { GoalResult } from './goal.ts'
import type { BenchReport } from './report.ts'
import type { Column, SeriesResult } from './series.ts'

/** Above this share of the machine for others, a round says little. */
const loud = 0.1

export function reportText({ benchmark, machine, rounds, quick, series }: BenchReport): string {
  const { cpu, cpus, kernel, node, versions, at, sha_extensions } = machine
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${benchmark}: medians of ${rounds} interleaved ${rounds === 1 ? 'round' : 'rounds'}${quick ? ', quick: too small to judge by' : ''}`,
    `${at.slice(0, 16)}Z, ${cpus} x ${cpu}, SHA extensions ${sha_extensions}, Linux ${kernel}, Node ${node.slice(1)}`,
    programs.join(', '),
    ...series.flatMap(seriesText),
    '',
  ].join('\n')
}

function seriesText(series: SeriesResult): string[] {
  const names = Object.keys(series.medians)
  const head = ['', ...series.columns.map(({ label }) => label)]
  const rows = names.map((name) => [
    name,
    ...series.columns.map((column) => shown(series.medians[name]?.[column.figure], column.unit)),
  ])
  const goals = series.goals.map((goal) => [goal.what, `${limitText(goal)}`, valueText(goal), goal.verdict.replace('-', ' ')])
  return [
    '',
    `== ${series.name}`,
    ...aligned([head, ...rows]),
    ...series.left_out.map(({ name, reason }) => `left out: ${name}: ${reason}`),
    noiseText(series),
    ...(goals.length > 0 ? ['', ...aligned([['goal', 'limit', 'measured', ''], ...goals])] : []),
  ]
}

function noiseText({ noise }: SeriesResult): string {
  const percent = (share: number) => `${Math.round(share * 100)} %`
  const most = (pick: (one: SeriesResult['noise'][number]) => number) => percent(Math.max(0, ...noise.map(pick)))
  const rounds = noise.filter(({ foreign, steal }) => foreign + steal > loud)
  const named = rounds
    .slice(0, 6)
    .map(({ round, contender, foreign, steal }) => `${contender} in round ${round} (${percent(foreign + steal)})`)
  const more = rounds.length > named.length ? ` and ${rounds.length - named.length} more` : ''
  return `noise: others took at most ${most(({ foreign }) => foreign)} of the machine, steal at most ${most(({ steal }) => steal)}${
    rounds.length > 0 ? `; LOUD: ${named.join(', ')}${more}` : ''
  }`
}

export function shown(value: number | undefined, unit: Column['unit']): string {
  if (value === undefined || !Number.isFinite(value)) return '-'
  if (unit === 'bytes') return formatSize(Math.round(value))
  if (unit === 'count') return Math.round(value).toString()
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1)
}

export function limitText({ limit, unit }: GoalResult): string {
  return 'at_least' in limit ? `at least ${amount(limit.at_least, unit)}` : `at most ${amount(limit.at_most, unit)}`
}

export function valueText({ value, unit }: GoalResult): string {
  return value === null ? '-' : amount(value, unit)
}

function amount(value: number, unit: GoalResult['unit']): string {
  if (unit === 'bytes') return value < 0 ? `-${formatSize(Math.round(-value))}` : formatSize(Math.round(value))
  if (unit === 'count') return Math.round(value).toString()
  return unit === 'ms' ? `${value.toFixed(1)} ms` : `${value.toFixed(2)} x`
}

/** The first column to the left, the others to the right. */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, k) => Math.max(...rows.map((row) => (row[k] ?? '').length)))
  return rows.map((row) =>
    row
      .map((cell, k) => (k === 0 ? cell.padEnd(widths[k] ?? 0) : cell.padStart(widths[k] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
