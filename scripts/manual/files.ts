/** Which files belong to the programs, below a folder like /usr/local/share. */
import { readFileSync } from 'node:fs'
import { build } from '@cis490/shared/node/build.ts'
import { loadProgram as loadAgent } from '../../packages/agent/src/program.ts'
import { loadProgram as loadFleet } from '../../packages/fleet/src/program.ts'
import { loadProgram as loadReceiver } from '../../packages/receiver/src/program.ts'
import { bashCompletion } from './bash.ts'
import { manPage } from './man-page.ts'
import { programFacts } from './operations.ts'
import { tableOf } from './table.ts'
import { zshCompletion } from './zsh.ts'

const loaders = { agent: loadAgent, receiver: loadReceiver, fleet: loadFleet }

export interface GeneratedFile {
  /** Relative. */
  readonly path: string
  readonly text: string
}

export const programs = Object.keys(loaders)

/**
 * Where man, bash and zsh look by themselves when the folder is /usr/local/share.
 * @param wanted of `programs`; loading the commands of all three takes its time
 */
export async function generatedFiles(wanted: readonly string[] = programs): Promise<GeneratedFile[]> {
  const operations = readFileSync(new URL('../../OPERATIONS.md', import.meta.url), 'utf8')
  const chosen = Object.entries(loaders).filter(([short]) => wanted.includes(short))
  const files = await Promise.all(
    chosen.map(async ([short, load]) => {
      const name = `cis490-${short}`
      const table = tableOf(await load())
      const others = programs.filter((other) => other !== short).map((other) => `cis490-${other}`)
      const facts = programFacts(operations, short)
      return [
        { path: `man/man1/${name}.1`, text: manPage({ name, version: build.version, table, facts, others }) },
        { path: `bash-completion/completions/${name}`, text: bashCompletion(name, table) },
        { path: `zsh/site-functions/_${name}`, text: zshCompletion(name, table) },
      ]
    }),
  )
  return files.flat()
}
