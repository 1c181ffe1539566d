/** Programs that may be missing: each with the command that brings it in. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian's own: another python3 on the PATH does not see Debian's packages. */
export const python = '/usr/bin/python3'

/** @returns undefined when all are there, else why not and how to get them */
export function missingProgram(names: readonly string[], install: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  const absent = names.filter((name) => !folders.some((folder) => existsSync(join(folder, name))))
  return absent.length === 0 ? undefined : `${absent.join(', ')} not installed; ${install}`
}

export function missingModules(names: readonly string[], install: string): string | undefined {
  try {
    execFileSync(python, ['-c', `import ${names.join(', ')}`], { stdio: 'ignore', timeout: 20_000 })
    return undefined
  } catch {
    return `${names.join(', ')} not installed for ${python}; ${install}`
  }
}
