/** The rule of host names by itself, for code that sees millions of them, or starts often, and has no need of a schema. */

export const hostNamePattern = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

// ASCII only: the Kelvin sign and its like lower-case into letters, and would make one host another.
export function lowerHostName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** @returns the lower-cased name, as the schema `HostName` gives it; undefined where it is none */
export function readHostName(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  // Nearly all are lower-case as they stand.
  const name = hostNamePattern.test(value) ? value : lowerHostName(value)
  return hostNamePattern.test(name) && !name.includes('..') ? name : undefined
}
