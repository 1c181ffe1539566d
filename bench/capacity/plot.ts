/** Waiting against load as an SVG: two lines, time in powers of ten. Pure. */
import { escaped } from '../frame/plot.ts'
import type { Delays } from './simulate.ts'

const width = 720
const height = 400
const box = { left: 70, right: 690, top: 50, bottom: 340 }

/** @param footer what was assumed */
export function plotDelays(title: string, points: readonly Delays[], footer: string): string {
  const values = points.flatMap(({ p50_s, p99_s }) => [p50_s, p99_s]).filter((value) => value > 0)
  const low = Math.floor(Math.log10(Math.max(1e-4, Math.min(...values))))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(1e-4, ...values))))
  const x = (load: number) => box.left + load * (box.right - box.left)
  const y = (seconds: number) => {
    const part = (Math.log10(Math.max(10 ** low, seconds)) - low) / (high - low)
    return box.bottom - part * (box.bottom - box.top)
  }
  const decades = Array.from({ length: high - low + 1 }, (_, k) => low + k)
  const line = (pick: (point: Delays) => number, colour: string) =>
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.map((point) => `${x(point.load).toFixed(1)},${y(pick(point)).toFixed(1)}`).join(' ')}"/>`
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="16" y="26" font-size="16" font-weight="600">${escaped(title)}</text>`,
    ...decades.flatMap((decade) => [
      `<line x1="${box.left}" x2="${box.right}" y1="${y(10 ** decade)}" y2="${y(10 ** decade)}" stroke="#d5dae1"/>`,
      `<text x="${box.left - 8}" y="${y(10 ** decade) + 4}" text-anchor="end">${secondsText(decade)}</text>`,
    ]),
    ...[0, 0.25, 0.5, 0.75, 1].map(
      (load) => `<text x="${x(load)}" y="${box.bottom + 18}" text-anchor="middle">${Math.round(load * 100)} %</text>`,
    ),
    line(({ p50_s }) => p50_s, '#2a7f62'),
    line(({ p99_s }) => p99_s, '#b23a48'),
    `<text x="${box.left + 10}" y="${box.top + 14}" fill="#b23a48">99 of 100 wait at most</text>`,
    `<text x="${box.left + 10}" y="${box.top + 30}" fill="#2a7f62">half of them wait at most</text>`,
    `<text x="${(box.left + box.right) / 2}" y="${box.bottom + 36}" text-anchor="middle">load of all processors</text>`,
    `<text x="16" y="${height - 8}" fill="#52606d">${escaped(footer)}</text>`,
    '</svg>',
  ].join('\n')}\n`
}

function secondsText(decade: number): string {
  return decade >= 0 ? `${10 ** decade} s` : decade >= -3 ? `${10 ** (decade + 3)} ms` : `${10 ** (decade + 6)} us`
}
