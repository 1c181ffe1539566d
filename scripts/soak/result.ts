/** What a soak found, as JSON and as a table. */
import { cpus, release, totalmem } from 'node:os'
import { formatSize } from '@cis490/shared/size.ts'
import type { Violation } from './check.ts'
import type { History, Outcome } from './history.ts'

export interface SoakResult {
  readonly at: string
  readonly machine: {
    readonly cpu: string
    readonly cpus: number
    readonly memory: string
    readonly kernel: string
    readonly node: string
  }
  readonly seed: number
  readonly minutes: number
  readonly puts: Readonly<Record<Outcome | 'sent', number>>
  /** Answers of raw PUTs by `status code`. */
  readonly answers: Readonly<Record<string, number>>
  readonly reads: number
  readonly uploads: History['uploads']
  readonly agents: { readonly recorded: number; readonly receipts: number; readonly kills: number }
  readonly receiver: {
    readonly kills: number
    readonly start_ms: { readonly median: number; readonly most: number }
    readonly recovered: Readonly<Record<string, number>>
  }
  readonly line: {
    readonly connections: number
    readonly bytes_up: number
    readonly bytes_down: number
    readonly faults: Readonly<Record<string, number>>
  }
  /** Processor seconds. */
  readonly cpu: Readonly<Record<'harness' | 'agents' | 'load' | 'start' | 'serve', number>>
  readonly rows: number
  /** What a run of ten minutes is meant to reach and did not, a line each. */
  readonly short: readonly string[]
  readonly violations: readonly Violation[]
  /** Whatever else is not as it should be. */
  readonly complaints: readonly string[]
}

export function machine(): SoakResult['machine'] {
  const all = cpus()
  return {
    cpu: all[0]?.model ?? '',
    cpus: all.length,
    memory: formatSize(totalmem()),
    kernel: release(),
    node: process.version,
  }
}

export function answersOf(history: History): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, code } of history.puts) {
    const name = status === undefined ? 'no answer' : `${status}${code ? ` ${code}` : ''}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return Object.fromEntries(Object.entries(counts).sort(([, a], [, b]) => b - a))
}

export function startTimes(starts: readonly number[]): SoakResult['receiver']['start_ms'] {
  const sorted = starts.toSorted((a, b) => a - b)
  return { median: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0), most: Math.round(sorted.at(-1) ?? 0) }
}

/** What ten minutes are meant to reach. */
export const meant = { puts: 100_000, kills: 500, minutes: 10 }

/** How much longer than asked a run may take. */
const overtime = 1.05

/** @param lasted minutes that it took. @returns what was not reached, a line each; of a shorter run nothing is asked */
export function shortOf(minutes: number, lasted: number, puts: number, kills: number): string[] {
  if (minutes < meant.minutes) return []
  return [
    ...(lasted > minutes * overtime ? [`it took ${lasted.toFixed(1)} min, not ${minutes}`] : []),
    ...(puts < meant.puts ? [`${puts} PUTs of the ${meant.puts} that it is meant to reach`] : []),
    ...(kills < meant.kills ? [`${kills} kills of the ${meant.kills} that it is meant to reach`] : []),
  ]
}

function reached({ minutes, puts, receiver, short }: SoakResult): string {
  if (short.length > 0) return `NOT REACHED: ${short.join('; ')}`
  const rate = `${puts.sent} PUTs and ${receiver.kills} kills`
  return minutes < meant.minutes
    ? `${rate}; nothing is asked of less than ${meant.minutes} min`
    : `${rate}: at least ${meant.puts} and ${meant.kills} were asked`
}

/** The processor time behind the figures, so that runs on a busy machine can be compared. */
function costs({ cpu, puts, receiver }: SoakResult): string {
  const each = (seconds: number, count: number) => ((seconds * 1000) / Math.max(1, count)).toFixed(1)
  const lives = receiver.kills + 1
  return `a life ${each(cpu.load, lives)} ms loading, ${each(cpu.start, lives)} ms starting; a PUT ${each(cpu.serve, puts.sent)} ms in the receiver, ${each(cpu.harness, puts.sent)} ms here; agents ${cpu.agents.toFixed(0)} s`
}

export function describe(result: SoakResult): string {
  const { puts, receiver, agents, line, machine: on } = result
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')
  const lines: [string, string][] = [
    ['machine', `${on.cpus} x ${on.cpu}, ${on.memory}, Linux ${on.kernel}, Node ${on.node}`],
    ['time, seed', `${result.minutes} min, --seed ${result.seed}`],
    ['PUTs', `${puts.sent}: ${puts.ok} acknowledged, ${puts.fail} refused, ${puts.info} without an answer that says`],
    ['answers', list(result.answers)],
    ['reads', `${result.reads}`],
    [
      'resumable',
      `${result.uploads.parts} parts, asked ${result.uploads.resumed} times where to go on, ${result.uploads.gone} known no more`,
    ],
    ['agents', `${agents.recorded} episodes recorded, ${agents.receipts} receipts, ${agents.kills} agents killed`],
    [
      'receiver',
      `killed ${receiver.kills} times; start ${receiver.start_ms.median} ms in the median, ${receiver.start_ms.most} ms at most`,
    ],
    ['recovered', list(receiver.recovered) || 'nothing to do'],
    ['line', `${line.connections} connections, ${formatSize(line.bytes_up)} up; ${list(line.faults)}`],
    ['processor', costs(result)],
    ['rows', `${result.rows}`],
    ['reached', reached(result)],
    ['violations', `${result.violations.length}`],
    ['complaints', `${result.complaints.length}`],
  ]
  const rest = [
    ...result.violations.slice(0, 20).map(({ kind, at, detail }) => `${kind} ${at}: ${detail}`),
    ...result.complaints.slice(0, 20),
  ]
  return [...lines.map(([name, text]) => `${name.padEnd(12)}${text}`), ...rest.map((text) => `  ${text}`)].join('\n')
}
