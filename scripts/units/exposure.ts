/** How much of the machine each unit leaves open, by `systemd-analyze security`, and whether the unit says why. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Of 10, which is all. What runs other people's checks, or replaces the program, needs more. */
const limits: Readonly<Record<string, number>> = {
  'cis490-doctor-check': 4,
  'cis490-autoupdate': 4,
  'cis490-autoupdate-repair': 4,
  'cis490-cert-fetch': 4,
}
const limitOfDaemons = 1.5

export interface Exposure {
  readonly unit: string
  readonly exposure: number
  readonly limit: number
  /** Settings that leave something open. */
  readonly open: readonly string[]
  /** Those of them for which no comment of the unit gives a reason. */
  readonly unexplained: readonly string[]
}

/** @param path of a .service file; nothing is installed or started. @throws where systemd-analyze is missing or does not know the file */
export async function exposureOf(path: string): Promise<Exposure> {
  const env = { ...process.env, LC_ALL: 'C.UTF-8', SYSTEMD_COLORS: '0', SYSTEMD_PAGER: '' }
  const { stdout } = await run('systemd-analyze', ['security', '--offline=yes', '--no-pager', path], { env })
  const exposure = /Overall exposure level for \S+: (\d+\.\d+)/.exec(stdout)?.[1]
  if (exposure === undefined) throw new Error(`systemd-analyze gives no exposure for ${path}`)
  const open = [...new Set([...stdout.matchAll(/^✗ (\w+)=/gm)].map((match) => match[1] as string))]
  const unit = basename(path)
  return {
    unit,
    exposure: Number(exposure),
    limit: limitOf(unit),
    open,
    unexplained: withoutReason(readFileSync(path, 'utf8'), open),
  }
}

export function limitOf(unit: string): number {
  return limits[unit.replace('.service', '')] ?? limitOfDaemons
}

/** @returns the settings that no comment names, followed by a colon and a reason */
export function withoutReason(text: string, settings: readonly string[]): string[] {
  const comments = text.split('\n').filter((line) => line.startsWith('#'))
  return settings.filter((setting) => !comments.some((line) => new RegExp(`\\b${setting}\\b[^:]*: \\S`).test(line)))
}
