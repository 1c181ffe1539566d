/** What the program that stands for many hosts is told. */
export type FanInJob = Reach &
  (
    | { readonly do: 'handshakes'; readonly count: number; readonly parallel: number; readonly resume: boolean }
    | { readonly do: 'idle'; readonly count: number }
    | { readonly do: 'herd'; readonly count: number; readonly patience_s: number }
  )

interface Reach {
  readonly port: number
  readonly ca: string
  readonly identities: readonly { readonly host: string; readonly cert: string; readonly key: string }[]
}

export interface HandshakesResult {
  readonly seconds: number
  readonly resumed: number
}

export interface HerdResult {
  /** Epoch ms at which each host was served again. */
  readonly served_at: readonly number[]
  readonly lost: number
  /** Attempts that got nowhere: nobody listened yet, or the answer was "later". */
  readonly attempts_failed: number
}
