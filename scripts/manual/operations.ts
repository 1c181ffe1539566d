/** What OPERATIONS.md says in tables, for the manual: exit codes, configuration keys, files. */

export interface ProgramFacts {
  /** By command, `outbox list`. */
  readonly commands: ReadonlyMap<string, { readonly does: string; readonly exitCodes: string }>
  readonly keys: readonly (readonly [key: string, byDefault: string, meaning: string])[]
  readonly files: readonly (readonly [file: string, what: string])[]
}

const configFiles: Readonly<Record<string, string>> = { agent: 'lab-host.toml', receiver: 'receiver.toml', fleet: 'fleet.toml' }

/**
 * @param text of OPERATIONS.md
 * @param name `agent`, `receiver` or `fleet`
 */
export function programFacts(text: string, name: string): ProgramFacts {
  const mine = rows(section(text, '## Commands'), 'command').filter(([call]) => call?.startsWith(`\`cis490-${name} `))
  const files = rows(
    section(text, name === 'agent' ? '## Files of the agent' : "## Files under the receiver's state_dir"),
    'file',
  )
  return {
    commands: new Map(mine.map(([call = '', does = '', exitCodes = '']) => [commandOf(call), { does, exitCodes }])),
    keys: rows(section(text, `### ${configFiles[name]}`), 'key')
      .map(([key = '', byDefault = '', meaning = '']) => [key, byDefault, meaning] as const)
      .filter(([, , meaning]) => !meaning.startsWith('reserved')),
    files: files
      .filter((row) => name !== 'fleet' || /\bfleet\b/.test(row.join(' ')))
      .map(([file = '', what = '']) => [file, what] as const),
  }
}

/** From a call as it is documented, `cis490-agent outbox show ID`: the words that are commands. */
function commandOf(call: string): string {
  const words = call.replaceAll('`', '').split(' ').slice(1)
  return words.filter((word) => /^[a-z]/.test(word)).join(' ')
}

function section(text: string, heading: string): string {
  const from = `\n${text}`.indexOf(`\n${heading}\n`)
  if (from < 0) throw new Error(`OPERATIONS.md has no heading "${heading}"`)
  const body = text.slice(from + heading.length)
  const level = heading.indexOf(' ')
  const end = body.search(new RegExp(`\\n#{1,${level}} `))
  return end < 0 ? body : body.slice(0, end)
}

/** Cells of the rows of the tables that begin with this heading. */
function rows(text: string, first: string): string[][] {
  const found: string[][] = []
  let inside = false
  for (const line of text.split('\n')) {
    const cells = line.startsWith('|') ? cellsOf(line) : []
    if (cells.length === 0) inside = false
    else if (cells[0] === first) inside = true
    else if (inside && !/^[:-]+$/.test(cells[0] ?? '')) found.push(cells)
  }
  return found
}

function cellsOf(line: string): string[] {
  const cells = line.slice(1, line.lastIndexOf('|')).split(/(?<!\\)\|/)
  return cells.map((cell) => cell.trim().replaceAll('\\|', '|'))
}
