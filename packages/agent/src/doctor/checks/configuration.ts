/** The configuration and the files that it names. */
import { readFile } from 'node:fs/promises'
import { messageOf } from '@cis490/shared/node/errno.ts'
import type { Check } from '../check.ts'

/** @param mistake what is wrong with the file, one line a mistake; undefined: it is valid */
export function configuration(path: string, mistake: string | undefined): Check {
  return {
    code: 'configuration',
    title: 'The configuration is valid',
    severity: 'critical',
    timeout: 1000,
    depends_on: [],
    remedy: `sudoedit ${path}; cis490-agent check-config --config ${path} shows what is left`,
    run: async () =>
      mistake === undefined
        ? { outcome: 'pass', text: path, data: { path } }
        : { outcome: 'fail', text: mistake.split('\n').join('; '), data: { path, mistakes: mistake.split('\n') } },
  }
}

/** @param files path by key; an empty path is not configured */
export function configuredFiles(files: Readonly<Record<string, string>>): Check {
  return {
    code: 'configured-files',
    title: 'The files that the configuration names can be read',
    severity: 'critical',
    timeout: 5000,
    depends_on: [],
    remedy: 'cis490-agent check-config names the key; put the file there, or correct the key',
    run: async () => {
      const named = Object.entries(files).filter(([, path]) => path !== '')
      const tried = await Promise.all(named.map(async ([key, path]) => ({ key, path, why: await whyUnreadable(path) })))
      const broken = tried.filter(({ why }) => why !== undefined)
      const [first] = broken
      if (first === undefined)
        return { outcome: 'pass', text: `${named.length} named`, data: { files: Object.fromEntries(named) } }
      return {
        outcome: 'fail',
        text: broken.map(({ key, path, why }) => `${key}: ${path}: ${why}`).join('; '),
        data: { files: Object.fromEntries(broken.map(({ key, path }) => [key, path])) },
        remedy: `ls -l ${broken.map(({ path }) => path).join(' ')}; the user of this command must be able to read them, and they must not be empty`,
      }
    },
  }
}

async function whyUnreadable(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim() === '' ? 'it is empty' : undefined
  } catch (error) {
    return messageOf(error).split(',')[0]
  }
}
