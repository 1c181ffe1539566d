/** Which ends are tried, and how one is named on the command line: `after:37`, `torn:12`, `EIO:5`, `ENOSPC+:9` (+: from then on), `power2:40`. */
import { type ErrnoName, errnos } from './scenario.ts'
import type { EndMode, Operation } from './shim.ts'

export interface EndPoint {
  readonly mode: EndMode
  readonly at: number
}

export interface FaultPoint {
  readonly errno: ErrnoName
  readonly sticky: boolean
  readonly at: number
}

/** Before and after every call, and half of every write. */
export function killPoints(operations: readonly Operation[]): EndPoint[] {
  return counted(operations).flatMap(({ number: at, call, bytes }) => [
    { mode: 'before' as const, at },
    ...(call === 'write' && bytes > 1 ? [{ mode: 'torn' as const, at }] : []),
    { mode: 'after' as const, at },
  ])
}

/** Before every call; the shutdown with and without the journal. */
export function powerPoints(operations: readonly Operation[]): EndPoint[] {
  return counted(operations).flatMap(({ number: at }) => [
    { mode: 'power2' as const, at },
    { mode: 'power1' as const, at },
  ])
}

export function faultPoints(operations: readonly Operation[]): FaultPoint[] {
  const names = Object.keys(errnos) as ErrnoName[]
  return counted(operations).flatMap(({ number: at, call }) =>
    names
      .filter((errno) => fits(errno, call))
      .flatMap((errno) => [
        { errno, sticky: false, at },
        { errno, sticky: true, at },
      ]),
  )
}

/** Reading fails for want of file descriptors or a broken disk, not for want of room. */
function fits(errno: ErrnoName, call: string): boolean {
  return call !== 'open-read' || errno === 'EIO' || errno === 'EMFILE'
}

function counted(operations: readonly Operation[]): Operation[] {
  return operations.filter((operation) => operation.number > 0)
}

/** Every `step`-th, beginning somewhere that the seed decides. */
export function sample<T>(points: readonly T[], step: number, seed: number): T[] {
  return points.filter((_, k) => k % step === seed % step)
}

export function nameOfEnd({ mode, at }: EndPoint): string {
  return `${mode}:${at}`
}

export function nameOfFault({ errno, sticky, at }: FaultPoint): string {
  return `${errno}${sticky ? '+' : ''}:${at}`
}

export function parseEnd(text: string): EndPoint | undefined {
  const match = /^(before|after|torn|power1|power2):([1-9]\d*)$/.exec(text)
  return match ? { mode: match[1] as EndMode, at: Number(match[2]) } : undefined
}

export function parseFault(text: string): FaultPoint | undefined {
  const match = /^([A-Z]+)(\+?):([1-9]\d*)$/.exec(text)
  if (!match || !Object.hasOwn(errnos, match[1] as string)) return undefined
  return { errno: match[1] as ErrnoName, sticky: match[2] === '+', at: Number(match[3]) }
}
