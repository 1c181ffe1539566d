/** SIGTERM and SIGINT as an abort: what runs ends in order, and nothing is lost. */

export interface Ending extends Disposable {
  readonly signal: AbortSignal
}

/** A second signal ends the process at once. */
export function endOnSignal(): Ending {
  const controller = new AbortController()
  const end = () => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort()
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      process.off('SIGTERM', end)
      process.off('SIGINT', end)
    },
  }
}
