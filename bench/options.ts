/** What the command line asks of a bench. */
export interface BenchOptions {
  /** Bytes of the episode. */
  readonly size: number
  readonly json: boolean
}
