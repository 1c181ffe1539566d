/** Where an update is cut: before and after each of its steps, and between the commands of the swap and of the way back. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const script = join(import.meta.dirname, '../autoupdate.sh')

/** The steps as the updater calls them, in order. */
export function steps(): string[] {
  const text = readFileSync(script, 'utf8')
  const body = text.slice(text.indexOf('update() {'), text.indexOf('main() {'))
  return [...body.matchAll(/^ {2}(step_\w+)/gm)].map((match) => match[1] as string)
}

/** One more than there are, so that none is left out: `uncut` tells. */
const swapCommands = 9
const undoCommands = 24
/** Of what runs from the checkout: the agent, and the receiver beside it. */
const perService = 9
const backCommands = 11

export interface Point {
  /** As cut.bash has it. */
  readonly cut: string
  /** The new version does not start, so that there is a way back to cut. */
  readonly broken: boolean
}

export function points(): Point[] {
  const count = (most: number) => Array.from({ length: most }, (_, k) => k + 1)
  return [
    ...steps().flatMap((step) => [`before:${step}`, `after:${step}`].map((cut) => ({ cut, broken: false }))),
    ...count(swapCommands).map((k) => ({ cut: `inside:swap:${k}`, broken: false })),
    ...count(perService).map((k) => ({ cut: `inside:start_them:${k}`, broken: false })),
    // Stopped twice, where there is a way back.
    ...count(2 * perService).map((k) => ({ cut: `inside:stop_them:${k}`, broken: true })),
    ...count(backCommands).map((k) => ({ cut: `inside:bring_back:${k}`, broken: true })),
    ...count(undoCommands).map((k) => ({ cut: `inside:undo:${k}`, broken: true })),
  ]
}

/** @param hit points that were met. @returns functions whose last number was met: there may be commands behind it */
export function uncut(hit: readonly Point[]): string[] {
  const numbered = points().flatMap(({ cut }) =>
    [...cut.matchAll(/^inside:(\w+):(\d+)$/g)].map(([, name, k]) => [name, Number(k)] as const),
  )
  const last = new Map(numbered as [string, number][])
  return [...last].filter(([name, k]) => hit.some(({ cut }) => cut === `inside:${name}:${k}`)).map(([name]) => name)
}
