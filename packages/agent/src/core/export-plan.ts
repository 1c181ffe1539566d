/** What an export has to do on a stick that may hold an earlier one. Pure. */
import { archiveSuffix } from '@cis490/shared/protocol.ts'

export interface Exportable {
  readonly id: string
  readonly sha256: string
  readonly bytes: number
  readonly lane: string
}

export interface OnStick {
  readonly id: string
  readonly sha256: string
  readonly file: string
}

export interface ExportPlan<T> {
  readonly entries: readonly (T & { readonly file: string; readonly there: boolean })[]
  /** Archives of an earlier export that the receiver has given a receipt for since. */
  readonly delivered: readonly OnStick[]
}

/**
 * Gated entries go along: on the stick too it is the receiver that decides, and a waiver may let them in there. Quarantined ones wait for a person.
 * @param sizes of the files on the stick: a name stands there only once its bytes were verified and synced
 * @param earlier what the last manifest on it named
 * @param isDelivered whether a receipt for these very bytes is here
 */
export function planExport<T extends Exportable>(
  waiting: readonly T[],
  sizes: ReadonlyMap<string, number>,
  earlier: readonly OnStick[],
  isDelivered: (one: OnStick) => boolean,
): ExportPlan<T> {
  // FAT knows no case: two ids that differ in nothing else must not share a file.
  const taken = new Map(earlier.map((one) => [one.file.toLowerCase(), one]))
  const entries = waiting
    .filter(({ lane }) => lane !== 'quarantine')
    .map((entry) => {
      const file = [`${entry.id}${archiveSuffix}`, `${entry.id}.${entry.sha256.slice(0, 16)}${archiveSuffix}`].find((name) => {
        const owner = taken.get(name.toLowerCase())
        return owner === undefined || (owner.id === entry.id && owner.sha256 === entry.sha256)
      }) as string
      taken.set(file.toLowerCase(), { id: entry.id, sha256: entry.sha256, file })
      const known = earlier.some((one) => one.file === file && one.sha256 === entry.sha256)
      return { ...entry, file, there: known && sizes.get(file) === entry.bytes }
    })
  const wanted = new Set(entries.map(({ file }) => file.toLowerCase()))
  return { entries, delivered: earlier.filter((one) => !wanted.has(one.file.toLowerCase()) && isDelivered(one)) }
}
