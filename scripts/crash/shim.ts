/** The preloaded library: how it is built, armed, and how its log reads. */
import { execFile } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { UserError } from '@cis490/shared/node/cli.ts'
import { isErrno, messageOf } from '@cis490/shared/node/errno.ts'

const sources = ['crashshim.c', 'calls.c'].map((name) => fileURLToPath(new URL(`./shim/${name}`, import.meta.url)))

/** How the world ends at a call. power2 loses what the journal has not written, power1 writes the journal first. */
export type EndMode = 'before' | 'after' | 'torn' | 'power1' | 'power2'

export interface Arming {
  readonly prefix: string
  readonly exclude: readonly string[]
  /** The number of the call, from 1; 0: none. */
  readonly at: number
  readonly mode: EndMode | 'error' | 'log'
  readonly errno?: number
  readonly sticky?: boolean
  /** Count every open, not only those that change something. */
  readonly reads?: boolean
  readonly log?: string
}

/** @returns the path of the library. @throws UserError where there is no compiler */
export async function buildShim(folder: string): Promise<string> {
  const library = join(folder, 'crashshim.so')
  try {
    await promisify(execFile)('gcc', [
      '-O2',
      '-Wall',
      '-Wno-nonnull-compare',
      '-shared',
      '-fPIC',
      '-pthread',
      '-o',
      library,
      ...sources,
    ])
    return library
  } catch (error) {
    throw new UserError(`gcc cannot build the crash shim (Debian packages gcc and libc6-dev): ${messageOf(error)}`)
  }
}

/** In the program under test. Without the library these are paths that are not there. */
export function arm({ prefix, exclude, at, mode, errno, sticky, reads, log }: Arming): void {
  const parts = [`prefix=${prefix}`, `exclude=${exclude.join(',')}`, `at=${at}`, `mode=${mode}`]
  if (errno !== undefined) parts.push(`errno=${errno}`)
  if (sticky) parts.push('sticky=1')
  if (reads) parts.push('reads=1')
  if (log !== undefined) parts.push(`log=${log}`)
  command(`arm;${parts.join(';')}`)
}

/** Before `arm`, where files are opened before the count begins. */
export function watch({ prefix, exclude }: Pick<Arming, 'prefix' | 'exclude'>): void {
  command(`watch;prefix=${prefix};exclude=${exclude.join(',')}`)
}

export function disarm(): void {
  command('disarm')
}

/** A line of its own in the log. */
export function mark(text: string): void {
  command(`mark;${text}`)
}

function command(text: string): void {
  try {
    closeSync(openSync(`/.crashshim/${text}`, 'r'))
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}

export interface Operation {
  /** From 1; 0 for marks and replies. */
  readonly number: number
  readonly call: string
  readonly path: string
  readonly second: string | undefined
  readonly bytes: number
  /** What the call returned, or the negative error number; undefined where it never returned. */
  readonly result: number | undefined
}

export function readOperations(log: string): Operation[] {
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [number = '', call = '', path = '', second = '', bytes = '', result = ''] = line.split('\t')
      return {
        number: Number(number),
        call,
        path,
        second: second === '-' ? undefined : second,
        bytes: Number(bytes),
        result: result === 'end' ? undefined : Number(result),
      }
    })
}
