/** What was tried and what was found, as a table and as JSON. */
import type { Form, PointResult } from './forms.ts'
import { type FindingKind, findingKinds } from './scenario.ts'

type Counts = { points: number } & Record<FindingKind, number>

export interface Line extends Counts {
  readonly side: string
  readonly scenario: string
  readonly form: Form
}

const columns: Record<FindingKind, string> = {
  lost: 'lost',
  duplicated: 'dupl.',
  torn: 'torn',
  orphan: 'orphans',
  'stamp-lost': 'no stamp',
  'two-hashes': '2 hashes',
  'wrong-status': 'status',
  stuck: 'stuck',
}
const kinds = Object.keys(findingKinds) as FindingKind[]

export class Tally {
  readonly #lines = new Map<string, Line>()
  readonly bad: PointResult[] = []
  readonly #sides: (scenario: string) => string

  constructor(sides: (scenario: string) => string) {
    this.#sides = sides
  }

  add(result: PointResult): void {
    const { scenario, form, reached, findings } = result
    const line = this.#line(scenario, form)
    if (reached) line.points += 1
    // A point with three rows missing is one point at which something is lost.
    for (const kind of new Set(findings.map((finding) => finding.kind))) line[kind] += 1
    if (findings.length > 0) this.bad.push(result)
  }

  #line(scenario: string, form: Form): Line {
    const key = `${scenario} ${form}`
    const line = this.#lines.get(key) ?? { side: this.#sides(scenario), scenario, form, ...zero() }
    this.#lines.set(key, line)
    return line
  }

  get lines(): Line[] {
    return [...this.#lines.values()]
  }

  /** Points by what the promise names: receiver and agent killed, recoveries, power cuts, errors. */
  get totals(): Record<string, number> {
    const sum = (fits: (line: Line) => boolean) => this.lines.filter(fits).reduce((all, line) => all + line.points, 0)
    return {
      receiver_kills: sum(({ side, form }) => side === 'receiver' && form === 'kill'),
      agent_kills: sum(({ side, form }) => side === 'agent' && form === 'kill'),
      kills_in_recovery: sum(({ form }) => form === 'recovery'),
      power_cuts_ext4: sum(({ form }) => form === 'ext4'),
      power_cuts_xfs: sum(({ form }) => form === 'xfs'),
      errors: sum(({ form }) => form === 'errno'),
    }
  }

  table(): string {
    const head = ['scenario', 'form', 'points', ...kinds.map((kind) => columns[kind])]
    const rows = this.lines.map((line) => [
      line.scenario,
      line.form,
      ...[line.points, ...kinds.map((kind) => line[kind])].map(String),
    ])
    const all = zero()
    for (const line of this.lines) for (const key of Object.keys(all) as (keyof Counts)[]) all[key] += line[key]
    return align([head, ...rows, ['in all', '', ...[all.points, ...kinds.map((kind) => all[kind])].map(String)]])
  }
}

function zero(): Counts {
  return { points: 0, ...(Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<FindingKind, number>) }
}

function align(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, k) => Math.max(...rows.map((row) => row[k]?.length ?? 0)))
  return rows
    .map((row) => row.map((cell, k) => (k < 2 ? cell.padEnd(widths[k] ?? 0) : cell.padStart(widths[k] ?? 0))).join('  '))
    .join('\n')
}
