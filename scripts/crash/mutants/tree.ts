/** A copy of the sources with one fault in it, which runs as the checkout does. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '@cis490/shared/node/cli.ts'
import type { Mutant } from './mutant.ts'

/** @returns the root of the copy. @throws UserError where the text of the mutant does not stand there exactly once */
export function mutantTree(repository: string, folder: string, { name, file, find, replace }: Mutant): string {
  const root = mkdtempSync(join(folder, `mutant-${name}-`))
  for (const part of ['packages', 'scripts/crash', 'test/support', 'package.json'])
    cpSync(join(repository, part), join(root, part), { recursive: true, filter: (path) => !path.endsWith('node_modules') })
  const target = join(root, file)
  const text = readFileSync(target, 'utf8')
  if (text.split(find).length !== 2)
    throw new UserError(
      `the mutant ${name} does not fit any more: its text stands ${text.split(find).length - 1} times in ${file}`,
    )
  writeFileSync(
    target,
    text.replace(find, () => replace),
  )
  linkModules(repository, root)
  return root
}

/** Everything as installed, but the packages of this project are those of the copy. */
function linkModules(repository: string, root: string): void {
  const from = join(repository, 'node_modules')
  mkdirSync(join(root, 'node_modules/@cis490'), { recursive: true })
  for (const name of readdirSync(from).filter((one) => one !== '@cis490'))
    symlinkSync(join(from, name), join(root, 'node_modules', name))
  for (const name of readdirSync(join(repository, 'packages')))
    symlinkSync(join(root, 'packages', name), join(root, 'node_modules/@cis490', name))
}
