/** Goals as an SVG: a bar for each, and one line for the limit; right of it is better. Pure. */
import type { GoalResult } from './goal.ts'
import { limitText, valueText } from './table.ts'

const width = 960
const rowHeight = 26
/** Of a letter, about. */
const letter = 6.4
const right = 110
/** Bars end here: what is four times as good needs no longer one. */
const longest = 2.5
const colours = { met: '#2a7f62', missed: '#b23a48', 'not-judged': '#7a869a', 'not-measured': '#c8ced8' } as const

/** How far past its limit a goal is: 1 at the limit, more is better, whichever way the limit points. */
export function reached({ value, limit }: GoalResult): number {
  if (value === null) return 0
  const part = 'at_least' in limit ? value / limit.at_least : value <= 0 ? longest : limit.at_most / value
  return Math.min(longest, Math.max(0, part))
}

/** @param footer where and when it was measured */
export function plotGoals(title: string, goals: readonly GoalResult[], footer: string): string {
  const height = 70 + goals.length * rowHeight + 34
  const labels = goals.map((goal) => `${goal.what} (${limitText(goal)})`)
  const left = Math.ceil(Math.max(0, ...labels.map(({ length }) => length)) * letter) + 26
  const scale = (width - left - right) / longest
  const line = left + scale
  const bars = goals.flatMap((goal, k) => {
    const y = 60 + k * rowHeight
    const bar = Math.round(reached(goal) * scale)
    const note = goal.value === null ? 'not measured' : valueText(goal)
    return [
      `<text x="${left - 10}" y="${y + 14}" text-anchor="end">${escaped(labels[k] ?? '')}</text>`,
      `<rect x="${left}" y="${y + 2}" width="${bar}" height="${rowHeight - 9}" fill="${colours[goal.verdict]}"/>`,
      `<text x="${left + bar + 6}" y="${y + 14}" font-weight="600">${escaped(note)}</text>`,
    ]
  })
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="16" y="28" font-size="16" font-weight="600">${escaped(title)}</text>`,
    ...bars,
    `<line x1="${line}" y1="48" x2="${line}" y2="${height - 34}" stroke="#1f2933" stroke-dasharray="4 3"/>`,
    `<text x="${line}" y="44" text-anchor="middle">limit; right of it is better</text>`,
    `<text x="16" y="${height - 12}" fill="#52606d">${escaped(footer)}</text>`,
    '</svg>',
  ].join('\n')}\n`
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
