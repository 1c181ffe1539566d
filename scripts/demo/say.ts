/** What the demo prints: one line a step, details indented below it. */
import { styleText } from 'node:util'
import { printable } from '@cis490/shared/printable.ts'

type Style = Parameters<typeof styleText>[0]

const out = process.stdout
const style = (format: Style, text: string) => styleText(format, text, { stream: out })
let steps = 0

export const say = {
  title: (text: string) => void out.write(`${style('bold', text)}\n\n`),
  /** A step that is done. */
  step: (name: string, text: string) =>
    void out.write(`${style('green', '✓')} ${++steps}  ${style('bold', name.padEnd(12))} ${text}\n`),
  /** Something that came by itself, in the continuous part. */
  event: (text: string) => void out.write(`${style('green', '✓')} ${text}\n`),
  failed: (text: string) => void out.write(`${style('red', '✗')} ${text}\n`),
  /** Several lines as they are, for reading or copying. */
  block: (lines: readonly string[], format: Style = 'gray') => {
    for (const line of lines) out.write(`     ${style(format, printable(line))}\n`)
  },
  fields: (row: Readonly<Record<string, unknown>>) => {
    const width = Math.max(...Object.keys(row).map((key) => key.length))
    for (const [key, value] of Object.entries(row))
      out.write(`     ${style('gray', key.padEnd(width))}  ${printable(String(value))}\n`)
  },
  line: (text = '') => void out.write(`${text}\n`),
}
