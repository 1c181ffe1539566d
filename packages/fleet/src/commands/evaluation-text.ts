/** An evaluation for a person: a short table, and under each symptom what to do. */
import type { Evaluation } from '../jobs/evaluate.ts'

export function evaluationText(evaluation: Omit<Evaluation, 'decisions'>): string {
  const { symptoms, hosts, alerts, skipped_lines, receiver_away_since } = evaluation
  const lines = symptoms.flatMap(({ host, symptom, since, text, remedy, inhibits }) => [
    `${host.padEnd(width(symptoms))}  ${symptom.padEnd(10)}  since ${since ?? evaluation.at}${inhibits.length > 0 ? `  (also ${inhibits.join(', ')})` : ''}`,
    `  ${text}`,
    ...remedy.split('\n').map((line) => `    ${line}`),
  ])
  if (lines.length === 0) lines.push(`no symptoms (${counted(hosts.length, 'host')})`)
  for (const { state, text } of alerts) if (state === 'resolved') lines.push(`resolved: ${text}`)
  if (receiver_away_since) lines.push(`the receiver is away since ${receiver_away_since}; that time counts for no host's silence`)
  if (skipped_lines > 0) lines.push(`${counted(skipped_lines, 'line')} could not be read as rows and did not count`)
  return `${lines.join('\n')}\n`
}

function width(symptoms: readonly { host: string }[]): number {
  return Math.max(...symptoms.map(({ host }) => host.length))
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
