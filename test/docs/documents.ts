/** The repository's documents as data: text, tables, links. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

export function read(path: string): string {
  return readFileSync(`${root}/${path}`, 'utf8')
}

/** Files of the repository, tracked or about to be: what git does not ignore. */
export function repositoryFiles(): string[] {
  const args = [
    '-c',
    `safe.directory=${root}`,
    '-C',
    root,
    'ls-files',
    '--cached',
    '--others',
    '--exclude-standard',
    '--deduplicate',
  ]
  const deleted = new Set(execFileSync('git', [...args.slice(0, 4), 'ls-files', '--deleted'], { encoding: 'utf8' }).split('\n'))
  return execFileSync('git', args, { encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '' && !deleted.has(file))
}

/** Text under a heading of this level and title, up to the next heading of the same or a higher level. */
export function section(text: string, heading: string): string {
  const level = heading.indexOf(' ')
  const lines = text.split('\n')
  const headings = headingLines(lines)
  const from = headings.find((k) => lines[k] === heading)
  if (from === undefined) throw new Error(`there is no heading "${heading}"`)
  const next = headings.find((k) => k > from && (lines[k] as string).indexOf(' ') <= level)
  return lines.slice(from, next).join('\n')
}

/** Numbers of the lines that are headings; a comment in a code block is none. */
export function headingLines(lines: readonly string[]): number[] {
  let code = false
  return lines.flatMap((line, k) => {
    if (line.startsWith('```')) code = !code
    return !code && /^#+ /.test(line) ? [k] : []
  })
}

/** Body rows of every table whose first heading is `firstHeading`; cells are trimmed. */
export function tableRows(text: string, firstHeading: string): string[][] {
  const rows: string[][] = []
  let inside = false
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      inside = false
      continue
    }
    const cells = line
      .slice(1, line.lastIndexOf('|'))
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim().replaceAll('\\|', '|'))
    if (cells[0] === firstHeading) inside = true
    else if (inside && !/^:?-+:?$/.test(cells[0] ?? '')) rows.push(cells)
  }
  return rows
}

/** What stands between backticks in a cell. */
export function codeWords(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string)
}

/** @returns the text of a cell that is one code word */
export function codeWord(cell: string | undefined): string {
  const words = codeWords(cell ?? '')
  if (words.length !== 1) throw new Error(`expected one code word in "${cell}"`)
  return words[0] as string
}
