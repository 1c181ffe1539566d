/** What the main thread and a hash worker say to each other of one file, by the number of its hash. */

export type ToWorker =
  /** The descriptor is valid until the worker has said `left`. What was hashed from `upto` on is taken back. */
  | { readonly say: 'attach'; readonly id: number; readonly fd: number; readonly upto: number }
  /** The next bytes, in memory that stays as it is until `read`; they count only where the hash has come to `from`. `upto` are written. */
  | { readonly say: 'piece'; readonly id: number; readonly from: number; readonly bytes: Uint8Array; readonly upto: number }
  /** More is written than the thread was given. */
  | { readonly say: 'grow'; readonly id: number; readonly upto: number }
  /** So many are written. */
  | { readonly say: 'digest'; readonly id: number; readonly length: number }
  /** Where it can go back to without reading all again. */
  | { readonly say: 'keep'; readonly id: number }
  | { readonly say: 'leave'; readonly id: number }
  | { readonly say: 'forget'; readonly id: number }

export type FromWorker =
  | { readonly say: 'at'; readonly id: number; readonly at: number }
  /** The oldest piece is needed no more, and the hash has come to `at`. */
  | { readonly say: 'read'; readonly id: number; readonly at: number }
  | { readonly say: 'digest'; readonly id: number; readonly sha256: string }
  | { readonly say: 'unreadable'; readonly id: number; readonly code: string | undefined; readonly message: string }
  | { readonly say: 'left'; readonly id: number }
