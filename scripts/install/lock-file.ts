/** What a lock file asks for, held against what npm says that it installed. */

export interface LockFile {
  readonly packages?: Readonly<Record<string, LockEntry>>
}

export interface LockEntry {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
}

/** @returns a line about the first package that is missing or of another version; undefined: all are there */
export function firstMissing(wanted: LockFile, installed: LockFile): string | undefined {
  for (const [path, { version, dev, optional }] of Object.entries(wanted.packages ?? {})) {
    if (!path.startsWith('node_modules/') || dev || version === undefined) continue
    const found = installed.packages?.[path]?.version
    // An optional one is for another machine, or it is there and has to fit.
    if (found === undefined && optional) continue
    if (found !== version) return `${path}: ${found ?? 'missing'}, wanted ${version}`
  }
  return undefined
}
