/** What the harness knows of a piece of work that it interrupts. */

export interface Place {
  /** The folder whose changes are counted; a fresh copy of the prepared one for every point. */
  readonly disk: string
  /** Inputs, outside of what is counted; the same for every point, never written after `prepare`. */
  readonly aside: string
}

/** What the outside world saw before the end: it was told so, it may count on it. */
export type Told = Readonly<Record<string, unknown>> & { readonly kind: string }
export type Tell = (told: Told) => void

export interface Fault {
  readonly errno: ErrnoName
  readonly sticky: boolean
}

export const errnos = { EIO: 5, EMFILE: 24, ENOSPC: 28, EROFS: 30 } as const
export type ErrnoName = keyof typeof errnos

export const findingKinds = {
  lost: 'acknowledged, and not there',
  duplicated: 'two rows for one episode',
  torn: 'half a row or half a file under a final name',
  orphan: 'a leftover that nothing takes away',
  'stamp-lost': 'stored without the commit stamp that was sent',
  'two-hashes': 'two hashes acknowledged for one id',
  'wrong-status': 'an answer that does not fit the fault',
  stuck: 'the work cannot be finished any more, or the program hangs or dies in another way than it should',
} as const
export type FindingKind = keyof typeof findingKinds

export interface Finding {
  readonly kind: FindingKind
  readonly detail: string
}

export interface Checked {
  readonly told: readonly Told[]
  /** Set where the work did not end with its death but with a system error. */
  readonly fault?: Fault | undefined
  /** Whether the work came to its end. */
  readonly finished: boolean
}

/** All four run in a process of their own, with the real modules; `work` and `restart` with every change counted. */
export interface Scenario {
  readonly name: string
  readonly side: 'receiver' | 'agent'
  /** Names (their beginnings) that are not counted: lock files. */
  readonly exclude: readonly string[]
  /** Fills both folders. Runs once; nothing is counted. */
  prepare(place: Place): Promise<void>
  /** The same calls in the same order each time, as far as that can be. @param begin to be called once: from there on calls are counted */
  work(place: Place, tell: Tell, begin: () => void): Promise<void>
  /** What the program does when it is started again, and a clean end. All of it is counted. */
  restart(place: Place): Promise<void>
  /** Restarts, looks, finishes the work as the outside world would, and looks again. */
  check(place: Place, checked: Checked): Promise<Finding[]>
}
